"""Benchmarks, run by hand: each is one command that prints a table and writes its results to
``docs/results``. The tests run some of them, but never check their times.
"""
