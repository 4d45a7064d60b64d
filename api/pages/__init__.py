"""Pages for people: rendered here, on the services of the HTTP API, without a query of their own.

A folder with a ``routes.py`` is a screen; docs/page.md tells how to add one.
"""
