"""What the sessions of transformers' video networks have in common, with whatever prompts.

Frames are numbered here in the order in which they come: the networks' memory is that of the last
few frames *seen*, so that left-out frames leave no hole in it; and a video read from its end is one
more video, in which nothing runs backward.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import transformers
from torch import Tensor

from vision.domain.image import RgbImage
from vision.models.base import ModelIdentity
from vision.models.device import Placement
from vision.models.session_state import packed, unpacked
from vision.models.transformers_pixels import pixel_values
from vision.models.video import Course, FrameMasks, VideoSession
from vision.models.video_session_memory import ObjectMemory

LIBRARY = f"transformers {'.'.join(transformers.__version__.split('.')[:2])}"
"""What a saved session means is this library's affair: another version doesn't go on with it."""


class UpstreamSession(VideoSession):
    """One of upstream's streaming sessions, pruned, saved and resumed."""

    def __init__(
        self, network: Any, processor: Any, model: ModelIdentity, course: Course, *, config: Any
    ) -> None:
        """`config` is upstream's, of the part of the network that remembers."""
        super().__init__(model, course)
        self._network = network
        self._processor = processor
        self._placement = Placement(model.device, model.precision)
        self._upstream = processor.init_video_session(
            inference_device=model.device, dtype=torch.float32
        )
        self._upstream.processed_frames = {}
        size = course.size
        self._upstream.video_height, self._upstream.video_width = size.height, size.width
        self.memory = ObjectMemory(self._upstream, config)

    def restore(self, state: bytes) -> None:
        """What `_save` gave, into a session that has seen nothing. Raises ValueError, LookupError,
        TypeError."""
        head, tensors = unpacked(state)
        if head.get("library") != LIBRARY:
            raise ValueError(f"a session of {head.get('library')}; this is {LIBRARY}")
        self.memory.restore(head["objects"], tensors, self.model.device)
        self._take_up(head)

    def _save(self) -> bytes:
        objects, tensors = self.memory.saved()
        return packed({"library": LIBRARY, "objects": objects, **self._noted()}, tensors)

    @abstractmethod
    def _noted(self) -> Mapping[str, Any]:
        """Beside the objects' memory, as JSON has it."""

    @abstractmethod
    def _take_up(self, head: Mapping[str, Any]) -> None:
        """What `_noted` gave."""

    def _pixels(self, image: RgbImage) -> Tensor:
        """(3, side, side) float32, as upstream's processor makes it, on the device."""
        image_processor = self._processor.image_processor
        return pixel_values(image_processor, [image], device=self.model.device)[0]


def nothing_found() -> FrameMasks:
    return FrameMasks(np.zeros(0, np.int64), (), np.zeros(0, np.float32), ())
