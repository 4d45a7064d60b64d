"""The work on a whole job after its runs: decide on pilots, discard runs, publish the best one.

``advance`` is the entry point.
"""
