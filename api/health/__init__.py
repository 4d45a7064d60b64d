"""Liveness and readiness of the API process."""
