"""The tabs of a job: every module here with a ``TAB``."""
