"""A script for the official client of any major version: every call of the core, responses
validated strictly.

Each major's own interpreter runs ``python -m tests.client.driver`` at the root of the checkout,
with the service's address in ``OPENAI_BASE_URL``. Only ``openai``, the standard library and
``tests.make`` are imported.
"""
