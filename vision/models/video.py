"""What a model promises that follows prompted objects through a video: the SAM 2 family's task.

A session takes the frames one by one, in either direction, and gives one mask per object and frame.
It can be put aside as bytes between two frames and taken up by another process, so that a long
video is worked on in chunks, each by whichever worker comes next.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vision.domain.image import ImageSize, RgbImage
from vision.domain.mask import RleMask
from vision.domain.track import TRACKS_PER_ITEM
from vision.models.base import Model, ModelIdentity, require_rgb

STATE_FORMAT = 1
"""Grows whenever a saved session of before would be misread."""
MAX_OBJECTS = 50
"""Every object costs memory and time in every frame."""


@dataclass(frozen=True, slots=True, eq=False)
class ObjectPrompt:
    """What is pointed at in one frame: a new object, or a correction of a known one."""

    object_id: int
    """The caller's, from 1; below TRACKS_PER_ITEM, as it becomes part of a track id."""
    points: NDArray[np.float32] | None = None
    """(n, 3) float32: x, y in pixels, and 1 for inside or 0 for outside."""
    box: NDArray[np.float32] | None = None
    """(4,) float32: x1, y1, x2, y2 in pixels."""
    mask: RleMask | None = None
    """Alone: a model takes either a mask or points and a box."""

    def __post_init__(self) -> None:
        if not 0 < self.object_id < TRACKS_PER_ITEM:
            raise ValueError(f"an object id is from 1 to {TRACKS_PER_ITEM - 1}")
        has_points = self.points is not None and len(self.points) > 0
        if (self.mask is None) == (not has_points and self.box is None):
            raise ValueError("give points, a box or both, or else a mask")
        if self.points is not None and (self.points.ndim != 2 or self.points.shape[1] != 3):
            raise ValueError(f"points have shape (n, 3), not {self.points.shape}")
        if self.box is not None and self.box.shape != (4,):
            raise ValueError(f"a box has shape (4,), not {self.box.shape}")


@dataclass(frozen=True, slots=True, eq=False)
class FrameMasks:
    """Every object known so far, in one frame."""

    object_ids: NDArray[np.int64]
    """(n,) ascending."""
    masks: tuple[RleMask, ...]
    """Empty while the object is out of sight."""
    presence: NDArray[np.float32]
    """(n,) 0 to 1: how sure the model is that the object is in sight. It is no score."""
    labels: tuple[str, ...]
    """The words that found it; ANY_OBJECT for what was pointed at."""

    def __len__(self) -> int:
        return len(self.object_ids)


@dataclass(frozen=True, slots=True)
class Course:
    """Where a session is: known without its model, and kept with its state."""

    size: ImageSize
    """Of every frame."""
    reverse: bool
    """Frames come from last to first."""
    words: tuple[str, ...]
    """Objects that these words name are found by the model itself, in every frame."""
    last_index: int | None = None
    """Of the frame that was taken last."""
    max_objects: int = MAX_OBJECTS
    """That words find, at a time; what is pointed at is followed in any case."""

    def after(self, frame_index: int) -> "Course":
        """Raises ValueError for a frame that doesn't come next."""
        last = self.last_index
        if last is not None and (frame_index >= last if self.reverse else frame_index <= last):
            way = "before" if self.reverse else "after"
            raise ValueError(f"frame {frame_index} doesn't come {way} frame {last}")
        return replace(self, last_index=frame_index)


class VideoSession(ABC):
    """One way through one video. What it keeps has a limit, whatever the number of frames."""

    def __init__(self, model: ModelIdentity, course: Course) -> None:
        self.model = model
        self.course = course

    def feed(
        self, image: RgbImage, *, frame_index: int, prompts: Sequence[ObjectPrompt] = ()
    ) -> FrameMasks:
        """The masks of one frame, those of the objects prompted in it included.

        Frames come in order and may leave some out. All prompts of a frame come with it. Before
        any object is known the answer is empty. Raises ValueError for another size, order or
        two prompts of one object.
        """
        require_rgb(image)
        course = self.course.after(frame_index)
        _require_fitting(prompts, image, size=course.size)
        found = self._feed(image, prompts)
        _require_whole(found, prompts, size=course.size)
        self.course = course
        return found

    def save(self) -> bytes:
        """All that the next worker needs; its length has a limit too. For `VideoSegmenter.resume`.

        Data, not code: it is kept in storage, so that reading it must be harmless.
        """
        head = {"model": asdict(self.model), "course": asdict(self.course)}
        return _sealed(json.dumps(head).encode() + b"\n" + self._save())

    @abstractmethod
    def _feed(self, image: RgbImage, prompts: Sequence[ObjectPrompt]) -> FrameMasks: ...

    @abstractmethod
    def _save(self) -> bytes: ...


class VideoSegmenter(Model, ABC):
    """Follows what is pointed at, or named, through a video."""

    unable = "doesn't follow what is pointed at"

    understands_words: bool = False

    def start(
        self,
        size: ImageSize,
        *,
        reverse: bool = False,
        words: Sequence[str] = (),
        max_objects: int = MAX_OBJECTS,
    ) -> VideoSession:
        """A session that has seen nothing. Raises ValueError for words to a model without."""
        if words and not self.understands_words:
            raise ValueError(f"{self.identity.name} understands no words")
        if max_objects < 1:
            raise ValueError("at least one object is followed")
        return self._open(Course(size, reverse, tuple(words), max_objects=max_objects), None)

    def resume(self, state: bytes) -> VideoSession:
        """A session as it was when saved. Raises ValueError for another model's or a damaged one.

        On the same kind of device the masks that follow are those of an uninterrupted session.
        """
        try:
            return self._resumed(_unsealed(state))
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError("the saved session can't be read") from error

    def _resumed(self, content: bytes) -> VideoSession:
        head, _, body = content.partition(b"\n")
        document = json.loads(head)
        saved = ModelIdentity(**document["model"])
        if (saved.name, saved.weights_sha256) != (self.identity.name, self.identity.weights_sha256):
            raise ValueError(f"a session of {saved.name}, asked of {self.identity.name}")
        course = document["course"]
        size, words = ImageSize(**course.pop("size")), tuple(course.pop("words"))
        return self._open(Course(size=size, words=words, **course), body)

    @abstractmethod
    def _open(self, course: Course, state: bytes | None) -> VideoSession:
        """A new session, or one from what its `_save` gave."""


class ConceptFollower(VideoSegmenter, ABC):
    """Finds by itself in every frame what words name, and follows it."""

    unable = "doesn't follow what words name"

    understands_words = True


def _sealed(content: bytes) -> bytes:
    seal = f"vision session {STATE_FORMAT} {hashlib.sha256(content).hexdigest()}\n"
    return seal.encode() + content


def _unsealed(state: bytes) -> bytes:
    """Raises ValueError unless it is whole and of this format."""
    seal, _, content = state.partition(b"\n")
    if not seal.startswith(b"vision session %d " % STATE_FORMAT):
        raise ValueError(f"no saved session of format {STATE_FORMAT}")
    if _sealed(content) != state:
        raise ValueError("the saved session is damaged")
    return content


def _require_fitting(prompts: Sequence[ObjectPrompt], image: RgbImage, *, size: ImageSize) -> None:
    if ImageSize.of(image) != size:
        raise ValueError(f"a frame of {ImageSize.of(image)} in a video of {size}")
    if len({prompt.object_id for prompt in prompts}) != len(prompts):
        raise ValueError("one prompt per object and frame")
    if any(prompt.mask is not None and prompt.mask.size != size for prompt in prompts):
        raise ValueError(f"a mask has the size of the video, {size}")


def _require_whole(found: FrameMasks, prompts: Sequence[ObjectPrompt], *, size: ImageSize) -> None:
    count = len(found)
    if not count == len(found.masks) == len(found.presence) == len(found.labels):
        raise ValueError("one mask, presence and label per object")
    if count and not (np.diff(found.object_ids) > 0).all():
        raise ValueError("object ids ascend")
    lost = {prompt.object_id for prompt in prompts} - set(found.object_ids.tolist())
    if lost:
        raise ValueError(f"no mask of the prompted objects {sorted(lost)}")
    if any(mask.size != size for mask in found.masks):
        raise ValueError("masks have the size of the frame")
