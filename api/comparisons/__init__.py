"""Comparisons of jobs: create, store, list and return them."""
