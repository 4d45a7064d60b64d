"""Responses about existing jobs.

``presenter`` builds the JSON object of a job, ``job_cache`` keeps it with its ETag for polling, and
``event_stream`` sends events as they happen.
"""
