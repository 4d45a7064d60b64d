"""ASGI middleware in front of the routes; each check runs before the body is parsed.

``request_id`` adds ``x-request-id`` to every response. ``guard`` applies the checks of the other
modules: ``api.access`` (names of the service, cross-site requests, API keys), ``body_limits``
(size), ``strict_json``.
"""
