"""The screen of compared jobs."""
