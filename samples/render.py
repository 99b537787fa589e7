"""Re-makes `samples/images` and `samples/videos`: `python -m samples.render`.

Pictures and their COCO truth, films and their true tracks.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samples.cache import FIRST_SAMPLE_SEED
from samples.coco import NamedScene, coco_document
from samples.filming.encoding import write_video
from samples.filming.record import TruthRecord
from samples.filming.scripts import SCRIPTS, Script
from samples.filming.truth import FilmTruth, rounded, write_truth
from samples.scenes.scene import Scene, render_scene

FOLDER = Path(__file__).parent / "images"
VIDEO_FOLDER = Path(__file__).parent / "videos"
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
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of the pictures")
    parser.add_argument("--video-folder", type=Path, default=VIDEO_FOLDER, help="of the films")
    folders = parser.parse_args()
    write_samples(folders.folder)
    folders.video_folder.mkdir(parents=True, exist_ok=True)
    for script in SCRIPTS:
        write_film(folders.video_folder, script)


def write_samples(folder: Path) -> None:
    """Writes every picture and the truth file, replacing those of the same name."""
    folder.mkdir(parents=True, exist_ok=True)
    named = [NamedScene(sample.file_name, sample.scene()) for sample in SAMPLES]
    for sample, item in zip(SAMPLES, named, strict=True):
        _write_jpeg(folder / sample.file_name, item.scene, orientation=sample.orientation)
    document = coco_document(named, description=DESCRIPTION)
    (folder / TRUTH_NAME).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def write_film(folder: Path, script: Script) -> None:
    """Writes one film and, as `.json` beside it, its truth."""
    path, record = folder / script.file_name, TruthRecord()
    write_video(path, script, _images(script, record))
    truth = FilmTruth(
        file_name=script.file_name,
        width=script.width,
        height=script.height,
        seconds=tuple(rounded(seconds) for seconds in script.seconds),
        boxes=tuple(record.boxes),
    )
    write_truth(path.with_suffix(".json"), truth)


def _images(script: Script, record: TruthRecord) -> Iterator[NDArray[np.uint8]]:
    film = script.film()
    for index, seconds in enumerate(script.seconds):
        frame = film.frame(index, seconds)
        record.add(seconds, frame)
        yield frame.scene.image


def _write_jpeg(path: Path, scene: Scene, *, orientation: int) -> None:
    stored = np.rot90(scene.image) if orientation == TURN_RIGHT_TO_VIEW else scene.image
    exif = Image.Exif()
    if orientation != UPRIGHT:
        exif[ORIENTATION_TAG] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(path, quality=JPEG_QUALITY, exif=exif)


if __name__ == "__main__":
    main()
