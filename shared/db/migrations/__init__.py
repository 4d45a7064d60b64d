"""Alembic migrations; ``shared.db.migrate`` applies them."""
