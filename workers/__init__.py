"""Celery around the engine: one argument-less task, the life of its process, its drain."""
