"""The screen of the queue and the workers."""
