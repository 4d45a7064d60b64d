"""Data sets of the benchmark of defaults, made from GLUE files or from installed source code."""
