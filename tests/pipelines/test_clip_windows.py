"""Frames gathered into clips: which frames each has, and how few are held."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import pytest
from follow_workshop import ColorPool, open_color_pipeline
from numpy.typing import NDArray

from vision.domain.findings import ClipClasses
from vision.domain.image import RgbImage
from vision.domain.video import Frame
from vision.errors import NeedsVideo
from vision.models.base import ClassifyOptions, ClipClassifier, ModelIdentity
from vision.models.pool import ModelPool
from vision.pipelines.clips import ClipRun, Clips, reduced
from vision.pipelines.stages import ClassifyStage


class Watching(ClipClassifier):
    """Remembers which frames it was shown."""

    labels = ("nothing", "something")
    clip_frames = 4

    def __init__(self) -> None:
        super().__init__(ModelIdentity("watching", "0" * 64, "cpu", "float32"), memory_bytes=0)
        self.shown: list[list[int]] = []

    def _scores(self, clip: Sequence[RgbImage]) -> NDArray[np.float32]:
        self.shown.append([int(image[0, 0, 0]) for image in clip])
        return np.array([0.25, 0.75], np.float32)


def frame(index: int) -> Frame:
    return Frame(np.full((4, 6, 3), index, np.uint8), index, index / 10)


def gathered(
    frames: Sequence[int], *, clip_seconds: float | None = None
) -> tuple[Watching, tuple[ClipClasses, ...]]:
    model = Watching()
    clips = Clips(model, ClassifyOptions(), clip_seconds=clip_seconds)
    for index in frames:
        clips.add(frame(index))
    return model, clips.end()


def bounds(said: Sequence[ClipClasses]) -> list[tuple[int, int]]:
    return [(one.first_frame, one.last_frame) for one in said]


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (8, [(0, 3), (4, 7)]),
        (9, [(0, 3), (4, 8)]),
        (10, [(0, 3), (4, 7), (8, 9)]),
        (4, [(0, 3)]),
        (5, [(0, 4)]),
        (1, [(0, 0)]),
        (0, []),
    ],
    ids=["whole", "short rest", "half a rest", "one", "one and a rest", "one frame", "none"],
)
def test_a_rest_is_a_clip_when_it_is_half_as_long(
    count: int, expected: list[tuple[int, int]]
) -> None:
    _, said = gathered(range(count))

    assert bounds(said) == expected


def test_a_clip_says_when_it_was() -> None:
    model, said = gathered(range(8))

    assert model.shown == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert [(one.from_seconds, one.to_seconds) for one in said] == [(0.0, 0.3), (0.4, 0.7)]
    assert said[0].classes.labels == ("something", "nothing")


def test_frames_that_come_backwards_are_shown_in_order_of_time() -> None:
    model, said = gathered(range(9, -1, -1))

    assert model.shown == [[6, 7, 8, 9], [2, 3, 4, 5], [0, 0, 1, 1]]
    assert bounds(said) == [(0, 1), (2, 5), (6, 9)]


def test_clips_of_seconds_take_frames_at_about_equal_steps() -> None:
    model, said = gathered(range(42), clip_seconds=1.6)

    assert bounds(said) == [(0, 15), (16, 31), (32, 41)]
    assert model.shown[0] == [0, 6, 10, 15]


def test_a_long_clip_holds_few_frames_first_and_last_among_them() -> None:
    model = Watching()
    clips = Clips(model, ClassifyOptions(), clip_seconds=1000)
    most = 0

    for index in range(200):
        clips.add(frame(index))
        most = max(most, len(clips.held))
    said = clips.end()

    assert most <= 2 * Watching.clip_frames + 1
    assert bounds(said) == [(0, 199)]
    assert model.shown[0][0] == 0
    assert model.shown[0][-1] == 199
    assert np.diff(model.shown[0]) == pytest.approx(200 / 3, abs=35)


def test_clips_of_many_frames_hold_one_and_a_half() -> None:
    clips = Clips(Watching(), ClassifyOptions(), clip_seconds=None)
    most = 0

    for index in range(50):
        clips.add(frame(index))
        most = max(most, len(clips.held))

    assert most <= 6


def test_large_frames_are_held_smaller() -> None:
    large = np.arange(1080 * 1921 * 3, dtype=np.uint32).reshape(1080, 1921, 3).astype(np.uint8)

    small = reduced(large)

    assert small.shape == (540, 961, 3)
    assert small[0, 0].tolist() == pytest.approx(large[:2, :2].mean(axis=(0, 1)), abs=1)
    assert reduced(small).shape == small.shape


def test_stage_says_what_it_did() -> None:
    stage = ClassifyStage(model="moves", top=1, clip_seconds=2)

    provenance = ClipRun(stage, cast(ModelPool, ColorPool())).provenance

    assert (provenance.stage, provenance.model) == ("classify", "moves")
    assert provenance.parameters == {"top": 1, "min_score": 0.0, "clip_seconds": 2.0}


def test_an_image_is_refused() -> None:
    pipeline = open_color_pipeline({"classify": {"model": "moves"}})

    with pytest.raises(NeedsVideo, match="this is an image"):
        pipeline.run([np.zeros((8, 8, 3), np.uint8)])
