"""Checks of the official client, for any major version: every call, strictly validated.

Each major's interpreter runs ``python -m tests.client.driver`` at the root of the checkout, with
the service's address in ``OPENAI_BASE_URL``. Only ``openai``, the standard library and
``tests.make`` are imported.
"""
