"""What is pointed at, followed through a video by SAM 2, EdgeTAM or the tracker of SAM 3.

transformers' streaming sessions do it, see `upstream_session`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    EdgeTamVideoModel,
    Sam2VideoModel,
    Sam2VideoProcessor,
    Sam3TrackerVideoModel,
    Sam3TrackerVideoProcessor,
)

from vision.domain.detections import ANY_OBJECT
from vision.domain.image import RgbImage
from vision.models.base import ModelIdentity
from vision.models.mask_upscaling import presence_of, upscaled_masks
from vision.models.pretrained import load_network, load_processor
from vision.models.spec import ModelSpec
from vision.models.state import memory_bytes
from vision.models.upstream_session import UpstreamSession, nothing_found
from vision.models.video import Course, FrameMasks, ObjectPrompt, VideoSegmenter, VideoSession


class PromptedFollower(VideoSegmenter):
    """Any network of upstream's whose forward takes an inference session and a frame."""

    def __init__(self, network: Any, processor: Any, *, identity: ModelIdentity) -> None:
        super().__init__(identity, memory_bytes=memory_bytes(network))
        self._network = network
        self._processor = processor

    def _open(self, course: Course, state: bytes | None) -> VideoSession:
        session = PromptedSession(self._network, self._processor, self.identity, course)
        if state is not None:
            session.restore(state)
        return session


class PromptedSession(UpstreamSession):
    def __init__(self, network: Any, processor: Any, model: ModelIdentity, course: Course) -> None:
        super().__init__(network, processor, model, course, config=network.config)
        self._next_frame = 0

    def _feed(self, image: RgbImage, prompts: Sequence[ObjectPrompt]) -> FrameMasks:
        self._add(prompts)
        if not self._upstream.obj_ids:
            return nothing_found()
        pixels = self._pixels(image)
        with torch.inference_mode(), self._placement.autocast():
            output = self._network(
                inference_session=self._upstream, frame=pixels, frame_idx=self._next_frame
            )
            found = self._found(output)
        self._next_frame += 1
        self._upstream.processed_frames.clear()
        self.memory.prune(next_frame=self._next_frame)
        return found

    def _add(self, prompts: Sequence[ObjectPrompt]) -> None:
        # One by one, so that no prompt is padded to the length of another, and of all kinds.
        for prompt in prompts:
            self._processor.add_inputs_to_inference_session(
                self._upstream, self._next_frame, prompt.object_id, **_inputs(prompt)
            )
        # Upstream forgets in each call whom the call before has named.
        self._upstream.obj_with_new_inputs = [prompt.object_id for prompt in prompts]

    def _found(self, output: Any) -> FrameMasks:
        ids = np.array(output.object_ids, np.int64)
        order = np.argsort(ids)
        masks = upscaled_masks(output.pred_masks[:, 0], self.course.size)
        return FrameMasks(
            object_ids=ids[order],
            masks=tuple(masks[place] for place in order),
            presence=presence_of(output.object_score_logits)[order],
            labels=(ANY_OBJECT,) * len(ids),
        )

    def _noted(self) -> Mapping[str, Any]:
        return {"next_frame": self._next_frame}

    def _take_up(self, head: Mapping[str, Any]) -> None:
        self._next_frame = head["next_frame"]


class EdgeTamFollowing(EdgeTamVideoModel):  # type: ignore[no-untyped-call]
    """Upstream's, which can't follow a drawn object and a pointed-at one together: its scores of
    the one lack a dimension that those of the other have.
    """

    def _use_mask_as_output(self, *args: Any, **kwargs: Any) -> Any:
        output: Any = super()._use_mask_as_output(*args, **kwargs)
        output.object_score_logits = output.object_score_logits.reshape(-1, 1, 1)
        return output


def load_sam2_follower(spec: ModelSpec, folder: Path, identity: ModelIdentity) -> PromptedFollower:
    return _loaded(Sam2VideoModel, Sam2VideoProcessor, spec, folder, identity)


def load_edgetam_follower(
    spec: ModelSpec, folder: Path, identity: ModelIdentity
) -> PromptedFollower:
    return _loaded(EdgeTamFollowing, Sam2VideoProcessor, spec, folder, identity)


def load_sam3_follower(spec: ModelSpec, folder: Path, identity: ModelIdentity) -> PromptedFollower:
    """The tracker alone, out of the whole network's folder."""
    return _loaded(Sam3TrackerVideoModel, Sam3TrackerVideoProcessor, spec, folder, identity)


def _loaded(
    network_class: Any,
    processor_class: Any,
    spec: ModelSpec,
    folder: Path,
    identity: ModelIdentity,
) -> PromptedFollower:
    network = load_network(network_class, folder, spec, identity)
    processor = load_processor(processor_class, folder, spec)
    return PromptedFollower(network, processor, identity=identity)


def _inputs(prompt: ObjectPrompt) -> dict[str, Any]:
    if prompt.mask is not None:
        return {"input_masks": [prompt.mask.bitmap()]}
    inputs: dict[str, Any] = {}
    if prompt.points is not None and len(prompt.points):
        inputs["input_points"] = [[prompt.points[:, :2].tolist()]]
        inputs["input_labels"] = [[prompt.points[:, 2].astype(int).tolist()]]
    if prompt.box is not None:
        inputs["input_boxes"] = [[prompt.box.tolist()]]
    return inputs
