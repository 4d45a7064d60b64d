"""Tests of ``shared.infra``."""
