"""Base models: which ones the installation offers, and where each family keeps its layers."""
