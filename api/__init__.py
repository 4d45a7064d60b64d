"""The HTTP side: routes, schemas and the services behind them. No torch, no training; every
query is in ``shared.db``.
"""
