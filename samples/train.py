"""Trains the two demo models from nothing: `python -m samples.train --cache DIR`.

Renders the scenes, trains the detector, then the segmenter from the detector's backbone, and
writes the shipped files. It runs on one thread for the given CPU minutes, keeps checkpoints in
the cache folder, and goes on from them when it is started again.
"""

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from samples.cache import FIRST_HELD_OUT_SEED, SceneCache, cached_scenes
from samples.scenes.scene import render_scene
from samples.scenes.shapes import render_shapes
from samples.shipped import DETECTOR_FILE, SEGMENTER_FILE
from samples.training.detector import detector_plan, train_detector
from samples.training.segmenter import segmenter_plan, train_segmenter
from samples.training.weights import save_half
from vision.models.checksums import write_sums

YARDS, SHAPES = 10_000, 5_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Arguments:
    """What the command line asks for."""

    cache: Path
    minutes_detector: float
    minutes_sam: float
    processes: int


def parsed_arguments() -> Arguments:
    parser = argparse.ArgumentParser(prog="python -m samples.train", description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="scenes and checkpoints, 4 GB")
    parser.add_argument("--minutes-detector", type=float, default=14, help="CPU minutes")
    parser.add_argument("--minutes-sam", type=float, default=62, help="CPU minutes")
    parser.add_argument("--processes", type=int, default=2, help="for rendering only")
    return Arguments(**vars(parser.parse_args()))


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    arguments = parsed_arguments()
    yards, shapes = training_scenes(arguments.cache, arguments.processes)
    # One thread: on a shared machine two were slower, and the sums come in a fixed order.
    torch.set_num_threads(1)
    detector = trained_detector(arguments, yards)
    checkpoint = arguments.cache / "demo_sam.pt"
    plan = segmenter_plan(arguments.minutes_sam, checkpoint)
    segmenter = train_segmenter(yards, shapes, plan=plan, detector=detector)
    ship(segmenter, SEGMENTER_FILE)


def training_scenes(cache: Path, processes: int) -> tuple[SceneCache, SceneCache]:
    """Yards and shapes, all of them below the first held-out seed."""
    assert max(YARDS, SHAPES) <= FIRST_HELD_OUT_SEED
    yards = cached_scenes(cache / "yards", render_scene, seeds=range(YARDS), processes=processes)
    shapes = cached_scenes(
        cache / "shapes", render_shapes, seeds=range(SHAPES), processes=processes
    )
    return yards, shapes


def trained_detector(arguments: Arguments, yards: SceneCache) -> dict[str, Tensor]:
    plan = detector_plan(arguments.minutes_detector, arguments.cache / "demo_maskrcnn.pt")
    weights = train_detector(yards, plan)
    ship(weights, DETECTOR_FILE)
    return weights


def ship(weights: dict[str, Tensor], file: Path) -> None:
    """Writes one shipped file and the checksums beside it."""
    save_half(weights, file)
    write_sums(file.parent)
    log.info("wrote %s, %d bytes", file.name, file.stat().st_size)


if __name__ == "__main__":
    main()
