"""Celery around the engine: one argument-less task, the life of its process, its drain."""

from vision.spinning import spin_briefly

# However a worker is started, this comes before torch.
spin_briefly()
