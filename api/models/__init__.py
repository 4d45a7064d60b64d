"""Base models of the installation and models that jobs have published."""
