"""Maintenance beside training: the sweeper, webhooks, garbage collection, health check."""
