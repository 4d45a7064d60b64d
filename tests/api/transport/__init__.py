"""Tests of the HTTP server below the application."""
