"""All things that words name, found in every frame and followed by SAM 3.

transformers' streaming session does it, see `upstream_session`. What it keeps of every frame for
good is dropped here after each: in streaming it is written, and never read again.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import Sam3VideoModel, Sam3VideoProcessor

from vision.domain.image import ImageSize, RgbImage
from vision.domain.mask import RleMask
from vision.errors import InvalidRequest
from vision.models import mask_nms
from vision.models.base import ModelIdentity
from vision.models.mask_upscaling import run_lengths, upscaled
from vision.models.pretrained import load_network, load_processor
from vision.models.spec import ModelSpec
from vision.models.state import memory_bytes
from vision.models.upstream_session import UpstreamSession, nothing_found
from vision.models.video import ConceptFollower, Course, FrameMasks, ObjectPrompt, VideoSession

FIRST_ID = 1
"""Upstream counts its objects from 0; with us 0 is no track."""
PER_OBJECT = ("obj_id_to_prompt_id", "obj_id_to_score", "obj_first_frame_idx", "trk_keep_alive")
"""Of upstream's notes those that are read again, each one number per object."""
PER_FRAME = (
    "obj_id_to_tracker_score_frame_wise",
    "unmatched_frame_inds",
    "overlap_pair_to_frame_inds",
    "suppressed_obj_ids",
)
"""Notes that grow with every frame: only a run over a whole clip reads them."""
UNSEEN_FRAMES = 100
"""After so many frames out of sight an object makes room for a new one, if room is needed: with
upstream all objects stay, and a full session never finds another."""
UPSTREAM_LOG = "transformers.models.sam3_video.modeling_sam3_video"


class WordFollower(ConceptFollower):
    """SAM 3's detector of words and its tracker in one."""

    def __init__(self, network: Any, processor: Any, *, identity: ModelIdentity) -> None:
        super().__init__(identity, memory_bytes=memory_bytes(network))
        self._network = network
        self._processor = processor
        mask_nms.install()
        # It warns in every frame with more objects than are followed.
        logging.getLogger(UPSTREAM_LOG).setLevel(logging.ERROR)

    def _open(self, course: Course, state: bytes | None) -> VideoSession:
        if not course.words:
            raise ValueError(f"{self.identity.name} follows what words name: give some")
        session = WordSession(self._network, self._processor, self.identity, course)
        if state is not None:
            session.restore(state)
        return session


class WordSession(UpstreamSession):
    def __init__(self, network: Any, processor: Any, model: ModelIdentity, course: Course) -> None:
        config = network.config.tracker_config
        super().__init__(network, processor, model, course, config=config)
        self._upstream.processed_frames = LatestFrame()
        # Upstream adds it with the first object; a resumed session may have objects already.
        self._upstream.obj_with_new_inputs = []
        self._last_seen: dict[int, int] = {}
        self._name(course.words)

    def _name(self, words: Sequence[str]) -> None:
        longest = self._network.config.detector_config.text_config.max_position_embeddings
        self._processor.add_text_prompt(self._upstream, list(words))
        for number, tokens in self._upstream.prompt_input_ids.items():
            if tokens.shape[1] > longest:
                raise InvalidRequest(
                    f"{self._upstream.prompts[number]!r} is too long for {self.model.name}: "
                    f"{tokens.shape[1]} tokens of {longest}"
                )

    def _feed(self, image: RgbImage, prompts: Sequence[ObjectPrompt]) -> FrameMasks:
        if prompts:
            raise ValueError(f"{self.model.name} follows what words name, not what is pointed at")
        number = len(self._upstream.processed_frames)
        self._make_room(number)
        pixels = self._pixels(image)
        self._network.max_num_objects = self.course.max_objects
        with torch.inference_mode(), self._placement.autocast():
            output = self._network(inference_session=self._upstream, frame=pixels, frame_idx=number)
            found = self._found(output)
        self._note_seen(found, number)
        self._forget(next_frame=number + 1)
        return found

    def _make_room(self, number: int) -> None:
        if len(self._upstream.obj_ids) < self.course.max_objects:
            return
        for object_id, seen in list(self._last_seen.items()):
            if number - seen > UNSEEN_FRAMES:
                self._upstream.remove_object(object_id)
                for note in (self._last_seen, self._upstream.obj_id_to_last_occluded):
                    note.pop(object_id, None)
                for name in PER_OBJECT:
                    getattr(self._upstream, name).pop(object_id, None)

    def _note_seen(self, found: FrameMasks, number: int) -> None:
        for object_id, mask in zip(found.object_ids.tolist(), found.masks, strict=True):
            if mask.area or object_id - FIRST_ID not in self._last_seen:
                self._last_seen[object_id - FIRST_ID] = number

    def _found(self, output: Any) -> FrameMasks:
        ids = sorted(output.object_ids)
        if not ids:
            return nothing_found()
        presence = [output.obj_id_to_tracker_score.get(number, 0.0) for number in ids]
        prompts = [self._upstream.obj_id_to_prompt_id[number] for number in ids]
        scores = torch.cat([output.obj_id_to_mask[number] for number in ids])
        return FrameMasks(
            object_ids=np.array(ids, np.int64) + FIRST_ID,
            masks=masks_apart(scores, presence, groups=prompts, size=self.course.size),
            presence=np.array(presence, np.float32),
            labels=tuple(self._upstream.prompts[number] for number in prompts),
        )

    def _forget(self, *, next_frame: int) -> None:
        self._upstream.processed_frames.forget()
        for note in PER_FRAME:
            getattr(self._upstream, note).clear()
        self.memory.prune(next_frame=next_frame)

    def _noted(self) -> Mapping[str, Any]:
        occluded = self._upstream.obj_id_to_last_occluded
        return {
            "next_frame": len(self._upstream.processed_frames),
            "max_obj_id": self._upstream.max_obj_id,
            "last_occluded": [[number, int(frame)] for number, frame in occluded.items()],
            "last_seen": list(self._last_seen.items()),
            **{name: list(getattr(self._upstream, name).items()) for name in PER_OBJECT},
        }

    def _take_up(self, head: Mapping[str, Any]) -> None:
        self._upstream.processed_frames = LatestFrame(head["next_frame"])
        self._upstream.max_obj_id = head["max_obj_id"]
        self._upstream.obj_id_to_last_occluded = {
            number: torch.tensor([frame], device=self.model.device)
            for number, frame in head["last_occluded"]
        }
        self._last_seen = dict(head["last_seen"])
        for name in PER_OBJECT:
            setattr(self._upstream, name, dict(head[name]))


class LatestFrame:
    """For upstream's dict of all frames: it asks how many there were, and for the latest only."""

    def __init__(self, count: int = 0) -> None:
        self._count = count
        self._latest: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> Tensor:
        return self._latest[number]

    def __setitem__(self, number: int, pixels: Tensor) -> None:
        self._latest = {number: pixels}
        self._count = number + 1

    def forget(self) -> None:
        """The picture, not the count."""
        self._latest = {}


def load_sam3_word_follower(spec: ModelSpec, folder: Path, identity: ModelIdentity) -> WordFollower:
    network = load_network(Sam3VideoModel, folder, spec, identity)
    processor = load_processor(Sam3VideoProcessor, folder, spec)
    return WordFollower(network, processor, identity=identity)


def masks_apart(
    scores: Tensor, presence: Sequence[float], *, groups: Sequence[int], size: ImageSize
) -> tuple[RleMask, ...]:
    """Of (n, height, width) mask scores, in order, upscaled as in `upscaled_masks`.

    Where objects of one group overlap, the surest has the pixels; of equally sure ones the first.
    Upstream's `postprocess_outputs`, without its arrays of numbers for all masks at once.
    """
    surest_first = sorted(range(len(groups)), key=lambda place: -presence[place])
    whole = torch.ones(size.height, size.width, dtype=torch.bool, device=scores.device)
    free = {group: whole.clone() for group in set(groups)}
    masks: dict[int, RleMask] = {}
    coming = iter(surest_first)
    for part in upscaled(scores[surest_first], size):
        places = [next(coming) for _ in part]
        for bitmap, place in zip(part, places, strict=True):
            bitmap &= free[groups[place]]
            free[groups[place]] &= ~bitmap
        masks.update(zip(places, run_lengths(part), strict=True))
    return tuple(masks[place] for place in range(len(groups)))
