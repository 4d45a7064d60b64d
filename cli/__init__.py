"""The ``evenkeel`` command: starts the service and works as its HTTP client.

``__main__`` is the entry point. ``commands`` has the names, parameters and help texts of all
commands; each imports its implementation from a module beside it. ``up`` starts all processes of
the service on one machine, ``client`` sends requests, ``api_models`` has their responses.
"""
