"""Following on a GPU: as on the CPU up to rounding, as upstream's loop there, in half precision."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_video_sams import FAMILIES, SIZE, drawn, frame, points, save_word_follower, spec

from vision.models.base import ModelIdentity
from vision.models.sam3_video import load_sam3_word_follower
from vision.models.video import FrameMasks, VideoSegmenter

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU"),
]
FRAMES = 24
"""More than the memory reaches back."""
NEAR = 0.02
PROMPTS = [points(1, (12, 10, 1)), drawn(2, left=20, top=20)]
NAMES = (*FAMILIES, "words")


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    return save_word_follower(folder) if name == "words" else FAMILIES[name].saved(folder)


def load(name: str, folder: Path, device: str, precision: str = "float32") -> VideoSegmenter:
    identity = ModelIdentity("tiny", "1" * 64, device, precision)
    if name == "words":
        return load_sam3_word_follower(spec(), folder, identity)
    return FAMILIES[name].load(spec(), folder, identity)


def follow(name: str, follower: VideoSegmenter, *, saved_at: int | None = None) -> list[FrameMasks]:
    words = ["dog"] if name == "words" else []
    session = follower.start(SIZE, words=words, max_objects=2)
    found = []
    for index in range(FRAMES):
        if index == saved_at:
            session = follower.resume(session.save())
        given = PROMPTS if index == 0 and not words else []
        found.append(session.feed(frame(index), frame_index=index, prompts=given))
    return found


def test_gpu_follows_as_the_cpu_does(name: str, folder: Path) -> None:
    expected = follow(name, load(name, folder, "cpu"))

    found = follow(name, load(name, folder, "cuda"))

    # Later frames stand on earlier ones: rounding adds up, and random networks decide by a hair.
    for one, other in zip(found[:3], expected[:3], strict=True):
        np.testing.assert_array_equal(one.object_ids, other.object_ids)
        np.testing.assert_allclose(one.presence, other.presence, atol=NEAR)
        for mask, wanted in zip(one.masks, other.masks, strict=True):
            assert (mask.bitmap() ^ wanted.bitmap()).mean() < NEAR


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_resumed_session_on_a_gpu_goes_on_as_if_never_put_aside(
    name: str, folder: Path, precision: str
) -> None:
    follower = load(name, folder, "cuda", precision)

    whole, parted = follow(name, follower), follow(name, follower, saved_at=18)

    for one, other in zip(whole, parted, strict=True):
        assert one.masks == other.masks
        assert one.presence.tobytes() == other.presence.tobytes()


def test_half_precision_stays_near(name: str, folder: Path) -> None:
    full = follow(name, load(name, folder, "cuda"))[0]
    half = follow(name, load(name, folder, "cuda", "bfloat16"))[0]

    np.testing.assert_array_equal(half.object_ids, full.object_ids)
    np.testing.assert_allclose(half.presence, full.presence, atol=0.05)


@pytest.mark.parametrize("family", FAMILIES)
def test_session_equals_upstreams_on_the_gpu(family: str, tmp_path: Path) -> None:
    tiny = FAMILIES[family]
    tiny.saved(tmp_path)
    session = load(family, tmp_path, "cuda").start(SIZE)
    upstream = tiny.upstream(tmp_path, device="cuda")
    told = {"obj_ids": [1], "input_points": [[[[12, 10]]]], "input_labels": [[[1]]]}

    for index in range(FRAMES):
        first = index == 0
        found = session.feed(frame(index), frame_index=index, prompts=PROMPTS[:1] if first else [])
        ids, masks, presence = upstream.feed(frame(index), index, **(told if first else {}))

        assert found.object_ids.tolist() == ids
        assert found.masks == tuple(masks)
        assert found.presence.tolist() == presence
