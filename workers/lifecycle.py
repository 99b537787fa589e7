"""The worker that the product runs: models, decode processes, a device of its own."""

from vision.engine.worker_parts import open_station
from vision.settings import Settings
from workers.prefork import serve


def run_worker(settings: Settings) -> None:
    """Until SIGTERM or SIGINT: then the unit in work is finished or given back."""
    serve(settings, open_station)
