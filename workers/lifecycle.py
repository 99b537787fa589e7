"""The worker that the product runs: models, decode processes, a device of its own."""

import torch

from vision.engine.worker_parts import open_station
from vision.settings import Settings
from workers.prefork import serve


def run_worker(settings: Settings) -> None:
    """Until SIGTERM or SIGINT: then the unit in work is finished or given back."""
    in_use = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    assert not in_use, "CUDA used before the fork doesn't work after it"
    serve(settings, open_station)
