"""Tests of ``shared.recipe``."""
