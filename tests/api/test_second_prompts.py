"""One picture asked about twice: by two jobs of one worker, which looks at it once."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from serving import Served
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

from vision.engine.station import Pace
from vision.engine.work_loop import work
from vision.engine.worker_parts import open_station
from vision.models.demo_networks import build_demo_sam
from vision.settings import Settings

YARDS = sorted((Path(__file__).parents[2] / "samples" / "images").glob("*.jpg"))[:2]
CLICK = {"points": [[150, 100, 1]]}
BOXES = {"boxes": [[20, 30, 120, 140], [60, 10, 200, 90]]}
ENCODER = type(build_demo_sam().image_encoder)


@contextmanager
def encoded() -> Iterator[list[int]]:
    """Images in each pass of the demo's encoder meanwhile, whichever pool has it."""
    passes: list[int] = []

    def count(module: nn.Module, inputs: tuple[Any, ...], _output: object) -> None:
        if isinstance(module, ENCODER):
            passes.append(len(inputs[0]))

    handle = register_module_forward_hook(count)
    try:
        yield passes
    finally:
        handle.remove()


def uploaded(served: Served, path: Path) -> str:
    return str(served.client.post("/v1/assets", content=path.read_bytes()).json()["id"])


def asked(served: Served, assets: list[str], prompt: object) -> str:
    stage = {"segment": {"model": "demo_sam", "prompt": prompt}}
    job = served.client.post("/v1/jobs", json={"asset_ids": assets, "pipeline": stage})
    assert job.status_code == 202, job.text
    return str(job.json()["id"])


def masks(served: Served, job: str) -> list[Mapping[str, Any]]:
    rows = served.client.get(f"/v1/jobs/{job}/detections?include=mask").json()["items"]
    return [{name: row[name] for name in ("mask", "box", "predicted_iou")} for row in rows]


def work_on(served: Served, settings: Settings) -> None:
    with open_station(served.engine, settings, owner="test") as station:
        work(station, Pace())


def test_a_second_job_on_a_picture_runs_no_encoder(served: Served) -> None:
    assets = [uploaded(served, path) for path in YARDS]
    off = served.settings.model_copy(update={"embedding_memory_bytes": 0})
    expected = [asked(served, assets, prompt) for prompt in (CLICK, BOXES)]
    with encoded() as without_store:
        work_on(served, off)

    found = [asked(served, assets, prompt) for prompt in (CLICK, BOXES)]
    with encoded() as with_store:
        work_on(served, served.settings)

    assert sum(without_store) == 2 * len(assets)
    assert sum(with_store) == len(assets)
    for job, other in zip(found, expected, strict=True):
        assert masks(served, job) == masks(served, other)
        assert len(masks(served, job)) > 0


def test_points_and_boxes_of_one_job_share_one_look(served: Served) -> None:
    job = asked(served, [uploaded(served, YARDS[0])], CLICK | BOXES)
    with encoded() as passes:
        work_on(served, served.settings)

    assert sum(passes) == 1
    assert len(masks(served, job)) == 3
