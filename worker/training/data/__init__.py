"""From a job's files to batches of token ids and targets."""
