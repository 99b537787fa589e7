"""How much memory masks of everything need beside the network: each way in its own process.

python -m vision.cli.bench.sam_memory vision.cli.bench.sam_scene:scene fast
"""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from vision.cli.bench.measure import Figure, at_most
from vision.cli.bench.sam_answered import Contender, ours, upstream
from vision.cli.bench.sam_scene import Scene
from vision.cli.lazy import load

MEBI = 2**20
TARGET = 0.25
WAYS: dict[str, Callable[[Scene], Contender]] = {
    "upstream": lambda scene: upstream(scene, is_encoded=False),
    "exact": lambda scene: ours(scene, "exact", is_encoded=False),
    "fast": lambda scene: ours(scene, "fast", is_encoded=False),
}
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
FORGET_PEAK = "5"
KIBI = 1024


def memory(scene: Scene, name: str) -> list[Figure]:
    """Without the image encoder; `name` is that of a function that makes the scene, as
    module:function. Upstream's own decoder takes most of what the exact mode needs. Nothing where
    the system doesn't tell, as Linux does.
    """
    if not (scene.is_on_gpu or CLEAR.exists()):
        return []
    peaks = {way: peak_bytes(name, way) for way in WAYS}
    return [_figure(scene, way, peaks) for way in ("exact", "fast")]


def peak_bytes(name: str, way: str) -> int:
    """What the process of that way needed at most beyond what it began with."""
    words = (sys.executable, "-m", __name__, name, way)
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    return int(done.stdout)


def _figure(scene: Scene, way: str, peaks: dict[str, int]) -> Figure:
    figure = at_most(
        scene.name(f"{way}, memory without encoder"),
        ours=f"{peaks[way] / MEBI:.0f} MiB",
        reference=f"upstream: {peaks['upstream'] / MEBI:.0f} MiB",
        ratio=peaks[way] / peaks["upstream"],
        target=TARGET,
    )
    return figure if way == "fast" else replace(figure, target="", is_met=True)


def _growth(scene: Scene, run: Callable[[], object]) -> int:
    if scene.is_on_gpu:
        torch.cuda.reset_peak_memory_stats(scene.device)
        before = torch.cuda.memory_allocated(scene.device)
        run()
        return torch.cuda.max_memory_allocated(scene.device) - before
    before = _status_bytes("VmRSS")
    # Else a peak of the preparations below which `run` stays would count as its own.
    CLEAR.write_text(FORGET_PEAK)
    run()
    return _status_bytes("VmHWM") - before


def _status_bytes(name: str) -> int:
    """Not `getrusage`: its peak begins with that of the process that started this one."""
    lines = STATUS.read_text().splitlines()
    (kibi,) = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
    return int(kibi) * KIBI


def main(name: str, way: str) -> int:
    """The growth, of the same way once it has done one click: libraries are loaded by then."""
    scene: Scene = load(name)()
    image = scene.image(scene.size)
    contender = WAYS[way](scene)
    one_click = replace(scene, options=replace(scene.options, points_per_side=1))
    with scene.threads(1):
        WAYS[way](one_click).generate(image)
        return _growth(scene, lambda: contender.generate(image))


if __name__ == "__main__":
    print(main(*sys.argv[1:]))  # noqa: T201
