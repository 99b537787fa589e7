"""Re-makes `samples/images`: `python -m samples.render`. Pictures and their COCO truth."""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from samples.cache import FIRST_SAMPLE_SEED
from samples.coco import NamedScene, coco_document
from samples.scenes.scene import Scene, render_scene

FOLDER = Path(__file__).parent / "images"
TRUTH_NAME = "truth.json"
DESCRIPTION = "Rendered yard scenes; iscrowd marks objects that are mostly hidden."
JPEG_QUALITY = 86
ORIENTATION_TAG = 0x0112
UPRIGHT, TURN_RIGHT_TO_VIEW = 1, 6


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture of the folder; its size is that of the upright picture."""

    file_name: str
    seed_offset: int
    width: int
    height: int
    orientation: int = UPRIGHT
    """EXIF orientation: a camera held sideways stores the pixels turned."""

    def scene(self) -> Scene:
        return render_scene(
            FIRST_SAMPLE_SEED + self.seed_offset, height=self.height, width=self.width
        )


SAMPLES: tuple[Sample, ...] = (
    Sample("yard-1.jpg", 2, 640, 480),
    Sample("yard-2.jpg", 12, 640, 480),
    Sample("yard-3.jpg", 14, 640, 480),
    Sample("yard-4.jpg", 21, 800, 600),
    Sample("yard-5.jpg", 34, 512, 512),
    Sample("yard-6.jpg", 38, 512, 512),
    Sample("yard-7.jpg", 31, 960, 540),
    Sample("yard-8-turned.jpg", 11, 480, 640, TURN_RIGHT_TO_VIEW),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m samples.render", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    write_samples(parser.parse_args().folder)


def write_samples(folder: Path) -> None:
    """Writes every picture and the truth file, replacing those of the same name."""
    folder.mkdir(parents=True, exist_ok=True)
    named = [NamedScene(sample.file_name, sample.scene()) for sample in SAMPLES]
    for sample, item in zip(SAMPLES, named, strict=True):
        _write_jpeg(folder / sample.file_name, item.scene, orientation=sample.orientation)
    document = coco_document(named, description=DESCRIPTION)
    (folder / TRUTH_NAME).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _write_jpeg(path: Path, scene: Scene, *, orientation: int) -> None:
    stored = np.rot90(scene.image) if orientation == TURN_RIGHT_TO_VIEW else scene.image
    exif = Image.Exif()
    if orientation != UPRIGHT:
        exif[ORIENTATION_TAG] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(path, quality=JPEG_QUALITY, exif=exif)


if __name__ == "__main__":
    main()
