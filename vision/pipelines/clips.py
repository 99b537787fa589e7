"""The classify stage by a model of actions: what happens in stretches of a video."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from PIL import Image

from vision.domain.findings import ClipClasses
from vision.domain.image import ImageSize, RgbImage
from vision.domain.provenance import StageProvenance
from vision.domain.video import Frame
from vision.models.base import ClassifyOptions, ClipClassifier
from vision.models.pool import ModelPool
from vision.pipelines.stages import ClassifyStage

KEPT_SIDE = 540
"""Pixels of a kept frame's shorter side, at least: models look at 384 or fewer, and dozens of
frames of a large video wait for each other."""


class ClipRun:
    """The stage with its model in memory."""

    def __init__(self, stage: ClassifyStage, pool: ModelPool) -> None:
        self._classifier = pool.get(stage.model, ClipClassifier)
        self._options = ClassifyOptions(stage.top, stage.min_score)
        self._clip_seconds = stage.clip_seconds
        self.identity = self._classifier.identity
        parameters = asdict(self._options) | {"clip_seconds": stage.clip_seconds}
        self.provenance = StageProvenance(
            "classify", self.identity.name, self.identity.weights_sha256, parameters
        )

    def open(self) -> "Clips":
        """For one chunk."""
        return Clips(self._classifier, self._options, clip_seconds=self._clip_seconds)


class Clips:
    """Frames of a chunk gathered into clips, one after the other, and what each shows.

    What is left in the end is a clip too if it is at least half as long as one; else it is part of
    the one before. Frames come in order of time, or all in the opposite one.
    """

    def __init__(
        self, classifier: ClipClassifier, options: ClassifyOptions, *, clip_seconds: float | None
    ) -> None:
        """Clips of so many seconds; None is of as many frames as the model looks at together."""
        self._classifier, self._options = classifier, options
        self._clip_seconds = clip_seconds
        self._whole: _Clip | None = None
        """Ended; a short rest may still be added to it."""
        self._next = self._new()
        self._said: list[ClipClasses] = []

    @property
    def held(self) -> Sequence[Frame]:
        """Those that are in memory: of one clip and a half at most."""
        return [*(() if self._whole is None else self._whole.kept), *self._next.kept]

    def add(self, frame: Frame) -> None:
        if self._next.is_whole(frame):
            self._say_whole()
            self._whole, self._next = self._next, self._new()
        self._next.add(frame)
        if self._next.is_half:
            self._say_whole()

    def end(self) -> tuple[ClipClasses, ...]:
        """All that was said, in order of time."""
        if self._whole is not None:
            self._whole.join(self._next)
            self._say_whole()
        elif self._next.kept:
            self._say(self._next)
        return tuple(sorted(self._said, key=lambda one: one.first_frame))

    def _new(self) -> "_Clip":
        return _Clip(self._classifier.clip_frames, self._clip_seconds)

    def _say_whole(self) -> None:
        if self._whole is not None:
            self._say(self._whole)
            self._whole = None

    def _say(self, clip: "_Clip") -> None:
        frames = sorted(clip.kept, key=lambda frame: frame.frame_index)
        classes = self._classifier.classify([frame.image for frame in frames], self._options)
        first, last = frames[0], frames[-1]
        self._said.append(
            ClipClasses(
                first_frame=first.frame_index,
                last_frame=last.frame_index,
                from_seconds=first.pts_seconds,
                to_seconds=last.pts_seconds,
                classes=classes,
            )
        )


class _Clip:
    """Frames of one clip; of many, every second, fourth, … is kept."""

    def __init__(self, clip_frames: int, clip_seconds: float | None) -> None:
        self._clip_frames, self._clip_seconds = clip_frames, clip_seconds
        self._step = 1
        self._count = 0
        self._last: Frame | None = None
        self._kept: list[Frame] = []

    @property
    def kept(self) -> Sequence[Frame]:
        """At most twice as many as the model looks at, the first and the last among them."""
        if self._last is None or self._last is self._kept[-1]:
            return self._kept
        return [*self._kept, self._last]

    @property
    def is_half(self) -> bool:
        """Whether it can stand alone."""
        if self._clip_seconds is None:
            return 2 * self._count >= self._clip_frames
        return bool(self._kept) and 2 * self._seconds(self.kept[-1]) >= self._clip_seconds

    def is_whole(self, following: Frame) -> bool:
        """Whether this frame belongs to the next clip."""
        if self._clip_seconds is None:
            return self._count >= self._clip_frames
        return bool(self._kept) and self._seconds(following) >= self._clip_seconds

    def add(self, frame: Frame) -> None:
        small = Frame(reduced(frame.image), frame.frame_index, frame.pts_seconds)
        self._keep(small, is_wanted=self._count % self._step == 0)
        self._count += 1

    def join(self, rest: "_Clip") -> None:
        """Frames of another clip that follow on these."""
        for frame in rest.kept:
            self._keep(frame, is_wanted=True)

    def _keep(self, frame: Frame, *, is_wanted: bool) -> None:
        self._last = frame
        if not is_wanted:
            return
        if len(self._kept) == 2 * self._clip_frames:
            del self._kept[1::2]
            self._step *= 2
        self._kept.append(frame)

    def _seconds(self, frame: Frame) -> float:
        return abs(frame.pts_seconds - self._kept[0].pts_seconds)


def reduced(image: RgbImage) -> RgbImage:
    """A new picture; a large one by a whole factor smaller, each pixel the mean of several."""
    size = ImageSize.of(image)
    factor = min(size.width, size.height) // KEPT_SIDE
    if factor < 2:
        return image.copy()
    return np.asarray(Image.fromarray(image).reduce(factor))
