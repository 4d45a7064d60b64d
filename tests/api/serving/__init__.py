"""Tests of ``api.serving``."""
