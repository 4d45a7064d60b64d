"""A campaign of faults against the worker's own code in one process, at any of its operations.

``world`` has a job and everything around it, ``points`` the moments at which a fault strikes,
``kinds`` the faults, ``campaign`` the rounds with a seed and what is checked after each. Only the
trainer is simulated. The rounds are quick, and a test may take a mechanism away
(``test_mutations``), which real processes do not allow.
"""
