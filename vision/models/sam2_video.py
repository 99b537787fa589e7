"""What is pointed at, followed through a video by SAM 2, EdgeTAM or the tracker of SAM 3.

transformers' streaming sessions do it. Frames are numbered here in the order in which they come:
the networks' memory is that of the last few frames *seen*, so that left-out frames leave no hole
in it; and a video read from its end is one more video, in which nothing runs backward.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import Tensor
from transformers import (
    EdgeTamVideoModel,
    Sam2VideoModel,
    Sam2VideoProcessor,
    Sam3TrackerVideoModel,
    Sam3TrackerVideoProcessor,
)

from vision.domain.detections import ANY_OBJECT
from vision.domain.image import ImageSize, RgbImage
from vision.models.base import ModelIdentity
from vision.models.device import Placement
from vision.models.mask_upscaling import presence_of, upscaled_masks
from vision.models.pretrained import load_network, load_processor
from vision.models.session_state import packed, unpacked
from vision.models.spec import ModelSpec
from vision.models.state import memory_bytes
from vision.models.video import Course, FrameMasks, ObjectPrompt, VideoSegmenter, VideoSession
from vision.models.video_session_memory import ObjectMemory

LIBRARY = f"transformers {'.'.join(transformers.__version__.split('.')[:2])}"
"""What a saved session means is this library's affair: another version doesn't go on with it."""


class PromptedFollower(VideoSegmenter):
    """Any network of upstream's whose forward takes an inference session and a frame."""

    def __init__(self, network: Any, processor: Any, *, identity: ModelIdentity) -> None:
        super().__init__(identity, memory_bytes=memory_bytes(network))
        self._network = network
        self._processor = processor

    def _open(self, course: Course, state: bytes | None) -> VideoSession:
        return PromptedSession(self._network, self._processor, self.identity, course, state)


class PromptedSession(VideoSession):
    def __init__(
        self,
        network: Any,
        processor: Any,
        model: ModelIdentity,
        course: Course,
        state: bytes | None,
    ) -> None:
        super().__init__(model, course)
        self._network = network
        self._processor = processor
        self._placement = Placement(model.device, model.precision)
        self._upstream = new_session(processor, course.size, model.device)
        self.memory = ObjectMemory(self._upstream, network.config)
        self._next_frame = 0
        if state is not None:
            self._restore(state)

    def _feed(self, image: RgbImage, prompts: Sequence[ObjectPrompt]) -> FrameMasks:
        self._add(prompts)
        if not self._upstream.obj_ids:
            return nothing_found()
        pixels = pixels_of(image, self._processor, self.model.device)
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

    def _save(self) -> bytes:
        objects, tensors = self.memory.saved()
        head = {"library": LIBRARY, "next_frame": self._next_frame, "objects": objects}
        return packed(head, tensors)

    def _restore(self, state: bytes) -> None:
        head, tensors = unpacked(state)
        require_library(head)
        self._next_frame = head["next_frame"]
        self.memory.restore(head["objects"], tensors, self.model.device)


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


def new_session(processor: Any, size: ImageSize, device: str) -> Any:
    """Upstream's, for frames that come one by one and are all of this size."""
    session = processor.init_video_session(inference_device=device, dtype=torch.float32)
    session.processed_frames = {}
    session.video_height, session.video_width = size.height, size.width
    return session


def pixels_of(image: RgbImage, processor: Any, device: str) -> Tensor:
    """(3, side, side) float32, as upstream's processor makes it, on the device."""
    # torch warns of arrays that can't be written to, as decoded frames are.
    writable = np.require(image, requirements=["C", "W"])
    made = processor(
        images=writable, input_data_format="channels_last", device=device, return_tensors="pt"
    )
    pixels: Tensor = made["pixel_values"][0]
    return pixels


def nothing_found() -> FrameMasks:
    return FrameMasks(np.zeros(0, np.int64), (), np.zeros(0, np.float32), ())


def require_library(head: Mapping[str, Any]) -> None:
    """Raises ValueError for a session of another version of the library."""
    if head.get("library") != LIBRARY:
        raise ValueError(f"a session of {head.get('library')}; this is {LIBRARY}")


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
