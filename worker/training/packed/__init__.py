"""Batches without padding: all tokens in one sequence, with attention within each row."""
