"""Completion of the OpenAPI document that FastAPI derives from routes and models."""
