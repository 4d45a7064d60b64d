"""Single runs of a job: details, logs, metrics, cancellation and retry."""
