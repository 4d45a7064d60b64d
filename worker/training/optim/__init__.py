"""The update of the weights: losses, optimizer, learning-rate schedule, regularizers."""
