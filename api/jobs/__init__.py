"""Jobs: requests, creation, actions and responses.

``planning`` turns a request into rows, ``creation`` stores them, ``idempotency`` recognizes
repeated requests, and ``presenting`` builds responses.
"""
