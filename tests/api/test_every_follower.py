"""Objects followed by REST, by each family that can, in chunks: upstream's own loop's masks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from own_models_asked import add_own, finished, frames_of
from serving import Served, serving, settings_in
from tiny_video_sams import FAMILIES, SIZE, UpstreamWords, save_word_follower
from video_workshop import write_clip

from vision.domain.image import RgbImage
from vision.domain.mask import RleMask

FRAMES = 18
FIRST = 3
FPS = 10
BOX = [2.0, 1.0, 30.0, 28.0]
LIKE = {"sam2": "sam2.1_hiera_tiny", "edgetam": "edgetam", "sam3_tracker": "sam3"}
WORDS = ["red", "ball"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = tmp_path_factory.mktemp("made")
    prompted = {name: FAMILIES[name].saved(made / name) for name in LIKE}
    return {**prompted, "words": save_word_follower(made / "words")}


@pytest.fixture(scope="module")
def served(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """In chunks of six frames: a session is put aside and taken up on the way."""
    settings = settings_in(tmp_path_factory.mktemp("data"), device="cpu", chunk_frames=6)
    with serving(settings) as service:
        for name, place in folders.items():
            add_own(service, f"my-{name}", like=LIKE.get(name, "sam3"), place=place)
        yield service


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("video") / "film.mp4"
    size = (SIZE.width, SIZE.height)
    return write_clip(path, range(FRAMES), keyframe_every=3, draw=noise, size=size).read_bytes()


def noise(index: int) -> RgbImage:
    """Compression leaves so much of it that every tiny network sees something."""
    shape = (SIZE.height, SIZE.width, 3)
    return np.random.default_rng(index).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("name", LIKE)
def test_pointed_at(served: Served, folders: dict[str, Path], video: bytes, name: str) -> None:
    upstream = FAMILIES[name].upstream(folders[name])
    expected: dict[tuple[int, int], RleMask] = {}
    with torch.inference_mode():
        for one in frames_of(served, video)[FIRST:]:
            is_first = one.frame_index == FIRST
            prompts = {"obj_ids": [7], "input_boxes": [[BOX]]} if is_first else {}
            _, masks, _ = upstream.feed(one.image, one.frame_index, **prompts)
            expected[one.frame_index, 7] = masks[0]

    objects = [{"id": 7, "at_seconds": FIRST / FPS, "box": BOX, "label": "crate"}]
    found = followed(served, {"model": f"my-{name}", "objects": objects}, video)

    assert_same(found, expected)


def test_named(served: Served, folders: dict[str, Path], video: bytes) -> None:
    upstream = UpstreamWords(folders["words"], WORDS)
    expected: dict[tuple[int, int], RleMask] = {}
    with torch.inference_mode():
        for one in frames_of(served, video):
            masks, _ = upstream.feed(one.image, one.frame_index)
            # Upstream counts objects from 0; with us 0 is no track.
            expected |= {(one.frame_index, number + 1): mask for number, mask in masks.items()}

    found = followed(served, {"model": "my-words", "text": WORDS}, video)

    assert_same(found, expected)


def followed(served: Served, stage: dict[str, Any], video: bytes) -> dict[tuple[int, int], RleMask]:
    """Masks by frame and track; the list of tracks says the same."""
    job = finished(served, {"follow": stage}, file=video)
    asked = {"include": "mask", "limit": 1000}
    rows = served.client.get(f"/v1/jobs/{job}/detections", params=asked).json()["items"]
    tracks = served.client.get(f"/v1/jobs/{job}/tracks").json()["items"]
    numbers = [row["track_id"] for row in rows]
    assert {one["track_id"]: one["detections"] for one in tracks} == {
        number: numbers.count(number) for number in numbers
    }
    return {(row["frame_index"], row["track_id"]): RleMask.from_json(row["mask"]) for row in rows}


def assert_same(
    found: dict[tuple[int, int], RleMask], expected: dict[tuple[int, int], RleMask]
) -> None:
    """A mask without a pixel is no row."""
    seen = {place: mask for place, mask in expected.items() if mask.area}
    assert found == seen
    assert len(seen) > 4, "a random network that sees nothing compares nothing"
