"""Queries, tables and transactions. All queries live here, one class per table, and states
change by guarded updates (``runs.py``, ``jobs.py``).
"""
