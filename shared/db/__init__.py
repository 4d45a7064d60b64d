"""The database: the only truth. All queries live here, one class a table; states move by guarded updates (``runs.py``, ``jobs.py``)."""
