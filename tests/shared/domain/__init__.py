"""Tests of ``shared.domain``."""
