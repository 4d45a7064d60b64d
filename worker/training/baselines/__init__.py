"""Simpler models that fine-tuning must beat, trained and scored on a job's rows."""
