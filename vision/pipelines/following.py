"""The follow stage: prompted, named or detected objects through a video, a mask in every frame."""

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from vision.domain.chain import Prompted
from vision.domain.detections import Detections
from vision.domain.findings import Findings
from vision.domain.image import ImageSize, RgbImage
from vision.domain.mask import tight_boxes
from vision.domain.provenance import StageProvenance
from vision.domain.video import Chunk, Frame
from vision.errors import NothingToFollow
from vision.models.pool import ModelPool
from vision.models.video import (
    ConceptFollower,
    FrameMasks,
    ObjectPrompt,
    VideoSegmenter,
    VideoSession,
)
from vision.pipelines.document import PipelineDocument
from vision.pipelines.follow_prompts import (
    first_of,
    names_of,
    prompt_of,
    prompts_of,
    require_inside,
)
from vision.pipelines.image_stages import DetectRun

Name: TypeAlias = tuple[str, int]
"""Label and class id."""


class FollowRun:
    """The stage with its models in memory."""

    def __init__(self, document: PipelineDocument, pool: ModelPool) -> None:
        assert document.follow is not None, "the document has a follow stage"
        self.stage = stage = document.follow
        self._detector = None if document.detect is None else DetectRun(document.detect, pool)
        self.segmenter = pool.get(stage.model, ConceptFollower if stage.text else VideoSegmenter)
        self._names = {n: (name, 0) for n, name in names_of(stage.objects).items()}
        self._class_ids = {word: place for place, word in enumerate(stage.text)}

    @property
    def provenances(self) -> tuple[StageProvenance, ...]:
        """Of the detector, if there is one, and of the stage itself."""
        identity = self.segmenter.identity
        parameters = self.stage.model_dump(mode="json", exclude_none=True, exclude={"model"})
        mine = StageProvenance("follow", identity.name, identity.weights_sha256, parameters)
        return (mine,) if self._detector is None else (self._detector.provenance, mine)

    def run(self, images: Sequence[RgbImage]) -> list[Findings]:
        """Each is a video of one frame. Raises InvalidRequest for prompts outside of it."""
        return [Findings(self._in_one(image)) for image in images]

    def seed(self, image: RgbImage) -> tuple[tuple[ObjectPrompt, ...], Mapping[int, Name]]:
        """What the detector finds, as prompts, and their names by object id."""
        assert self._detector is not None, "the document has a detect stage"
        found = self._detector.run([image], [Findings.empty()])[0].detections
        best = found.select(np.arange(min(len(found), self.stage.max_objects)))
        names = zip(best.labels, best.class_ids.tolist(), strict=True)
        return prompts_of(best), dict(enumerate(names, start=1))

    def start(self, size: ImageSize, *, reverse: bool) -> VideoSession:
        stage = self.stage
        return self.segmenter.start(
            size, reverse=reverse, words=stage.text, max_objects=stage.max_objects
        )

    def detections(self, found: FrameMasks, seeded: Mapping[int, Name]) -> Detections:
        """Of what is in sight, by object id. `scores` are how sure the model is of that."""
        seen = [n for n, mask in enumerate(found.masks) if mask.area]
        masks = tuple(found.masks[n] for n in seen)
        ids = found.object_ids[seen]
        known = {**self._names, **seeded}
        names = [known.get(int(ids[n]), self._worded(found.labels[m])) for n, m in enumerate(seen)]
        return Detections(
            boxes=tight_boxes(masks),
            labels=tuple(label for label, _ in names),
            class_ids=np.array([class_id for _, class_id in names], np.int64),
            scores=found.presence[seen].astype(np.float32),
            masks=masks,
            object_ids=ids.astype(np.int64),
        )

    def _worded(self, label: str) -> Name:
        return label, self._class_ids.get(label, 0)

    def _in_one(self, image: RgbImage) -> Detections:
        size = ImageSize.of(image)
        first = first_of(self.stage.objects)
        require_inside(first, size)
        prompts: tuple[ObjectPrompt, ...] = tuple(map(prompt_of, first))
        names: Mapping[int, Name] = {}
        if self._detector is not None:
            prompts, names = self.seed(image)
        session = self.start(size, reverse=False)
        return self.detections(session.feed(image, frame_index=0, prompts=prompts), names)


class Following:
    """One session on its way through one chunk."""

    def __init__(self, stage: FollowRun, chunk: Chunk, state: bytes | None) -> None:
        """From what the chunk before left, if that is there. Raises NothingToFollow."""
        assert chunk.link is not None, "chunks of a followed video hang together"
        self._stage, self._link = stage, chunk.link
        self._is_last = chunk.link.following(chunk.number) is None
        self._due = list(chunk.link.prompts)
        self._seed_index = chunk.link.seed_index
        self._seeded: Mapping[int, Name] = {}
        self._session: VideoSession | None = None
        self._is_moved = False
        if state is not None:
            self._resume(state)
        elif chunk.number != chunk.link.first and not (self._due or stage.stage.text):
            raise NothingToFollow(
                "what is followed was pointed at in an earlier stretch, which has no results"
            )

    def show(self, frame: Frame) -> Detections:
        """What is in sight in the next frame."""
        session = self._session or self._stage.start(
            ImageSize.of(frame.image), reverse=self._link.reverse
        )
        prompts = self._prompts(frame)
        found = session.feed(frame.image, frame_index=frame.frame_index, prompts=prompts)
        self._session, self._is_moved = session, True
        return self._stage.detections(found, self._seeded)

    def state(self) -> bytes | None:
        """For the next chunk; None when there is none, and when no frame came."""
        if self._is_last or self._session is None or not self._is_moved:
            return None
        names = [[object_id, *name] for object_id, name in self._seeded.items()]
        due = [[one.frame_index, one.place] for one in self._due]
        head = json.dumps({"names": names, "due": due})
        return head.encode() + b"\n" + self._session.save()

    def _resume(self, state: bytes) -> None:
        head, _, body = state.partition(b"\n")
        document = json.loads(head)
        self._seeded = {number: (label, kind) for number, label, kind in document["names"]}
        # Behind their frames none could be decoded any more.
        self._due = [*(Prompted(*one) for one in document["due"]), *self._due]
        self._session = self._stage.segmenter.resume(body)

    def _prompts(self, frame: Frame) -> tuple[ObjectPrompt, ...]:
        """Those that are due. One whose frame could not be had comes with the next that could."""
        if self._seed_index is not None and self._is_reached(self._seed_index, frame):
            self._seed_index = None
            prompts, self._seeded = self._stage.seed(frame.image)
            return prompts
        due = [one for one in self._due if self._is_reached(one.frame_index, frame)]
        self._due = [one for one in self._due if one not in due]
        due.sort(key=lambda one: one.frame_index, reverse=self._link.reverse)
        objects = self._stage.stage.objects
        # The last word on each object.
        latest = {objects[one.place].id: objects[one.place] for one in due}
        return tuple(prompt_of(one) for one in latest.values())

    def _is_reached(self, frame_index: int, frame: Frame) -> bool:
        if self._link.reverse:
            return frame.frame_index <= frame_index
        return frame.frame_index >= frame_index
