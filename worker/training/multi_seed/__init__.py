"""Several seeds of one job trained side by side as one network: every parameter has a leading
dimension, the seed.
"""
