"""Measurements, run by hand: each is one command that prints a table and writes its results to
``docs/results``. Never timed tests.
"""
