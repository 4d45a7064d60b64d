"""Stability reports of jobs over HTTP; ``shared.report`` computes them."""
