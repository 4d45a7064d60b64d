"""The screen of all jobs."""
