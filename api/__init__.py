"""HTTP API: a folder per resource, with its routes, its schemas and the services behind them.

A request passes ``middleware`` (access, body size, strict JSON) and then its route.
``dependencies`` has what routes work with, ``errors`` turns exceptions into responses, and
``openapi`` completes the OpenAPI document. ``app`` lists the routers. Queries are in ``shared.db``.
"""
