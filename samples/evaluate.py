"""Measures the shipped demo models: `python -m samples.evaluate`. Exits 1 below a floor."""

import argparse
import sys

import torch

from samples.cache import FIRST_HELD_OUT_SEED
from samples.evaluation.detector import detector_figures
from samples.evaluation.figure import table
from samples.evaluation.segmenter import segmenter_figures
from samples.scenes.scene import render_scene
from samples.shipped import shipped_maskrcnn, shipped_sam

SCENES = 200


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m samples.evaluate", description=__doc__)
    parser.add_argument("--scenes", type=int, default=SCENES, help="held-out scenes to use")
    count = parser.parse_args().scenes
    torch.set_num_threads(1)
    scenes = [render_scene(FIRST_HELD_OUT_SEED + index) for index in range(count)]
    figures = detector_figures(shipped_maskrcnn(), scenes)
    figures += segmenter_figures(shipped_sam(), scenes)
    print(f"{count} held-out scenes\n{table(figures)}")
    return 0 if all(figure.is_reached for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
