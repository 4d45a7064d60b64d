"""HTTP API: routes, schemas and the services behind them. Queries are in ``shared.db``."""
