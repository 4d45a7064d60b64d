"""Archives of uploaded checkpoints: what they may contain, and unpacking within bounds."""
