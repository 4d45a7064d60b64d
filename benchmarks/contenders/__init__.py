"""Contenders of the benchmark of defaults: jobs of the service, and outside programs."""
