"""Alembic's scripts: one history for both databases."""
