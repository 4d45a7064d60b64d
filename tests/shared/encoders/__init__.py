"""Tests of ``shared.encoders``."""
