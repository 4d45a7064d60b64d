"""Presets of training settings, as jobs would resolve them."""
