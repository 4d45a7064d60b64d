"""The network: load it, prepare its weights, run its forward pass, keep and export the best."""
