"""The root of the service."""
