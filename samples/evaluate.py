"""Measures what ships: `python -m samples.evaluate`. Exits 1 below a floor.

The demo models on pictures never trained on, and the detector with tracking on the three films.
"""

import argparse
import sys

import torch

from samples.cache import FIRST_HELD_OUT_SEED
from samples.evaluation.detector import detector_figures
from samples.evaluation.figure import Figure, table
from samples.evaluation.films import evaluated, shipped_films
from samples.evaluation.segmenter import segmenter_figures
from samples.evaluation.tracking import tracking_figures
from samples.scenes.scene import render_scene
from samples.shipped import shipped_maskrcnn, shipped_sam

SCENES = 200
PARTS = ("models", "films")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m samples.evaluate", description=__doc__)
    parser.add_argument("--scenes", type=int, default=SCENES, help="held-out scenes to use")
    parser.add_argument("--only", choices=PARTS, help="one of the two parts")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    figures = [] if asked.only == "films" else model_figures(asked.scenes)
    figures += [] if asked.only == "models" else film_figures()
    return 0 if all(figure.is_reached for figure in figures) else 1


def model_figures(count: int) -> list[Figure]:
    """Printed as well."""
    scenes = [render_scene(FIRST_HELD_OUT_SEED + index) for index in range(count)]
    figures = detector_figures(shipped_maskrcnn(), scenes)
    figures += segmenter_figures(shipped_sam(), scenes)
    print(f"{count} held-out scenes\n{table(figures)}")
    return figures


def film_figures() -> list[Figure]:
    """Printed as well."""
    films = [evaluated(path, truth) for path, truth in shipped_films()]
    figures = tracking_figures(films)
    frames = sum(len(film.truth.seconds) for film in films)
    print(f"{len(films)} films, {frames} frames\n{table(figures)}")
    return figures


if __name__ == "__main__":
    sys.exit(main())
