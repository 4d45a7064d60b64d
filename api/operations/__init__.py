"""State of the queue, the workers and the storage."""
