"""A folder of rendered scenes, so that training does not wait for the renderer."""

from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from samples.scenes.scene import TRAINING_SIDE, Scene

FIRST_HELD_OUT_SEED = 10_000_000
"""Training scenes have smaller seeds; nothing is ever trained on this one or above."""
FIRST_SAMPLE_SEED = 20_000_000
RENDER_CHUNK = 32

Render = Callable[[int], Scene]


class SceneCache:
    """Square scenes of `TRAINING_SIDE` pixels on disk, read one at a time."""

    def __init__(self, folder: Path) -> None:
        self._images = np.load(folder / "images.npy", mmap_mode="r")
        self._instances = np.load(folder / "instances.npy", mmap_mode="r")
        with np.load(folder / "objects.npz") as objects:
            self._class_ids = objects["class_ids"]
            self._full_areas = objects["full_areas"]
            self._ends = objects["ends"]

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Scene:
        rows = slice(int(self._ends[index - 1]) if index else 0, int(self._ends[index]))
        image, instances = np.array(self._images[index]), np.array(self._instances[index])
        return Scene(image, instances, self._class_ids[rows], self._full_areas[rows])


def cached_scenes(folder: Path, render: Render, *, seeds: range, processes: int = 2) -> SceneCache:
    """The scenes of `seeds`; rendered now unless the folder is already complete."""
    finished = folder / "objects.npz"
    if not finished.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _render_into(folder, render, seeds=seeds, processes=processes)
    return SceneCache(folder)


def _render_into(folder: Path, render: Render, *, seeds: range, processes: int) -> None:
    square = (len(seeds), TRAINING_SIDE, TRAINING_SIDE)
    images = open_memmap(folder / "images.npy", "w+", np.uint8, (*square, 3))
    instances = open_memmap(folder / "instances.npy", "w+", np.uint8, square)
    class_ids: list[NDArray[np.int64]] = []
    full_areas: list[NDArray[np.int64]] = []
    with get_context("spawn").Pool(processes) as pool:
        for index, scene in enumerate(pool.imap(render, seeds, RENDER_CHUNK)):
            images[index], instances[index] = scene.image, scene.instances
            class_ids.append(scene.class_ids)
            full_areas.append(scene.full_areas)
    images.flush()
    instances.flush()
    # Written last: a folder with this file is complete.
    np.savez(
        folder / "objects.npz",
        class_ids=np.concatenate(class_ids),
        full_areas=np.concatenate(full_areas),
        ends=np.cumsum([len(ids) for ids in class_ids]),
    )
