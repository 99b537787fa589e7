"""Followers of objects with seeded random weights, on disk, and what upstream makes of them.

Random networks follow nothing. But what they answer depends on the picture, on the prompt and on
what they remember, which is what these tests are about.
"""

import functools
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tiny_sams import save_edgetam, save_sam2, save_sam3
from transformers import (
    EdgeTamVideoModel,
    Sam2VideoModel,
    Sam2VideoProcessor,
    Sam3TrackerVideoModel,
    Sam3TrackerVideoProcessor,
    Sam3VideoModel,
    Sam3VideoProcessor,
)

from vision.domain.image import ImageSize, RgbImage
from vision.domain.mask import RleMask
from vision.models import mask_nms
from vision.models.base import ModelIdentity
from vision.models.licenses import License
from vision.models.sam2_video import (
    EdgeTamFollowing,
    PromptedFollower,
    load_edgetam_follower,
    load_sam2_follower,
    load_sam3_follower,
)
from vision.models.sam3_video import WordFollower, load_sam3_word_follower
from vision.models.spec import ModelSpec, WeightsSpec
from vision.models.video import ObjectPrompt

SIZE = ImageSize(width=64, height=48)


def frame(index: int) -> RgbImage:
    """Blobs of color that drift apart, over noise that changes."""
    y, x = np.mgrid[: SIZE.height, : SIZE.width]
    colors = np.random.default_rng(5).integers(0, 256, (4, 3))
    noise = np.random.default_rng(index).integers(0, 60, (SIZE.height, SIZE.width, 3))
    image = noise.astype(float)
    for place, color in enumerate(colors):
        across = (12 + 13 * place + index * (place - 1.5) / 3) % SIZE.width
        image[(x - across) ** 2 + (y - 10 - 9 * place) ** 2 < 90] += color
    return image.clip(0, 255).astype(np.uint8)


def points(object_id: int, *xy_side: tuple[float, float, int]) -> ObjectPrompt:
    return ObjectPrompt(object_id, points=np.array(xy_side, np.float32))


def box(object_id: int, *xyxy: float) -> ObjectPrompt:
    return ObjectPrompt(object_id, box=np.array(xyxy, np.float32))


def drawn(object_id: int, *, left: int, top: int, side: int = 14) -> ObjectPrompt:
    bitmap = np.zeros((SIZE.height, SIZE.width), np.bool_)
    bitmap[top : top + side, left : left + side] = True
    return ObjectPrompt(object_id, mask=RleMask.from_bitmap(bitmap))


@dataclass(frozen=True)
class TinyFamily:
    """Upstream's classes of one family, and ours."""

    save: Callable[[Path], None]
    network_class: Any
    processor_class: Any
    load: Callable[[ModelSpec, Path, ModelIdentity], PromptedFollower]
    upstream_class: Any = None
    """Where upstream's own class has a fault that the parity run must not meet."""

    def saved(self, folder: Path) -> Path:
        self.save(folder)
        _let_objects_be_seen(self.network_class, folder)
        return folder

    def follower(self, folder: Path) -> PromptedFollower:
        return self.load(spec(), folder, identity())

    def upstream(self, folder: Path, device: str = "cpu") -> "UpstreamRun":
        network = (self.upstream_class or self.network_class).from_pretrained(folder).eval()
        processor = self.processor_class.from_pretrained(folder)
        return UpstreamRun(network.to(device), processor, device)


FAMILIES: Mapping[str, TinyFamily] = {
    "sam2": TinyFamily(save_sam2, Sam2VideoModel, Sam2VideoProcessor, load_sam2_follower),
    "edgetam": TinyFamily(
        save_edgetam,
        EdgeTamVideoModel,
        Sam2VideoProcessor,
        load_edgetam_follower,
        upstream_class=EdgeTamFollowing,
    ),
    "sam3_tracker": TinyFamily(
        save_sam3,
        Sam3VideoModel,
        Sam3TrackerVideoProcessor,
        load_sam3_follower,
        upstream_class=Sam3TrackerVideoModel,
    ),
}


class UpstreamRun:
    """Upstream's documented streaming loop, which forgets nothing."""

    def __init__(self, network: Any, processor: Any, device: str) -> None:
        self._network = network
        self._processor = processor
        self._device = device
        self.session = processor.init_video_session(inference_device=device)

    def feed(
        self, image: RgbImage, number: int, *, reverse: bool = False, **prompts: Any
    ) -> tuple[list[int], Sequence[RleMask], Sequence[float]]:
        inputs = self._processor(images=image, device=self._device, return_tensors="pt")
        if prompts:
            # Upstream takes the list itself, and empties it.
            prompts["obj_ids"] = list(prompts["obj_ids"])
            self._processor.add_inputs_to_inference_session(
                self.session, number, original_size=inputs.original_sizes[0], **prompts
            )
        output = self._network(
            inference_session=self.session,
            frame=inputs.pixel_values[0],
            frame_idx=number,
            reverse=reverse,
        )
        masks = self._processor.post_process_masks(
            [output.pred_masks], original_sizes=inputs.original_sizes
        )[0]
        return (
            list(output.object_ids),
            RleMask.from_bitmaps(masks[:, 0].cpu().numpy()),
            torch.sigmoid(output.object_score_logits).flatten().tolist(),
        )


WORD_THRESHOLDS = {
    "score_threshold_detection": 0.12,
    "new_det_thresh": 0.135,
    "det_nms_thresh": 0.4,
    "assoc_iou_thresh": 0.35,
    "trk_assoc_iou_thresh": 0.4,
    "high_conf_thresh": 0.12,
    "high_iou_thresh": 0.3,
    "fill_hole_area": 4,
}
"""Around what a random detector says: some things are found, more come later, masks of the same
thing are removed, and what is followed is refreshed by what is found."""


def save_word_follower(folder: Path, *, every: int = 4) -> Path:
    """Refreshed by the detector in every such frame."""
    FAMILIES["sam3_tracker"].saved(folder)
    network = Sam3VideoModel.from_pretrained(folder)
    for name, value in WORD_THRESHOLDS.items():
        setattr(network.config, name, value)
    network.config.recondition_every_nth_frame = every
    network.save_pretrained(folder)
    return folder


class UpstreamWords:
    """Upstream's documented streaming loop for words, which forgets nothing."""

    def __init__(self, folder: Path, words: Sequence[str]) -> None:
        # With what upstream would have downloaded.
        mask_nms.install()
        self.network = Sam3VideoModel.from_pretrained(folder).eval()
        self._processor = Sam3VideoProcessor.from_pretrained(folder)
        self.session = self._processor.init_video_session()
        self._processor.add_text_prompt(self.session, list(words))

    def feed(self, image: RgbImage, number: int) -> tuple[dict[int, RleMask], dict[int, float]]:
        """Masks of what is in sight, and the tracker's score of everything, by object id."""
        inputs = self._processor(images=image, return_tensors="pt")
        output = self.network(
            inference_session=self.session, frame=inputs.pixel_values[0], frame_idx=number
        )
        shown = self._processor.postprocess_outputs(
            self.session, output, original_sizes=inputs.original_sizes
        )
        masks = RleMask.from_bitmaps(shown["masks"].numpy())
        return (
            dict(zip(shown["object_ids"].tolist(), masks, strict=True)),
            dict(output.obj_id_to_tracker_score),
        )


@functools.cache
def tiny_follower(name: str) -> PromptedFollower:
    """One for all tests of a process: it holds no session's state."""
    with tempfile.TemporaryDirectory() as folder:
        return FAMILIES[name].follower(FAMILIES[name].saved(Path(folder)))


@functools.cache
def tiny_word_follower() -> WordFollower:
    with tempfile.TemporaryDirectory() as folder:
        return load_sam3_word_follower(spec(), save_word_follower(Path(folder)), identity())


def identity(name: str = "tiny", sha256: str = "1" * 64) -> ModelIdentity:
    return ModelIdentity(name, sha256, "cpu", "float32")


def spec() -> ModelSpec:
    return ModelSpec(
        name="tiny",
        family="tiny",
        builder="tiny",
        tasks=frozenset(),
        weights=WeightsSpec("tiny"),
        license=License("Apache-2.0"),
        labels=(),
        input="",
        intended_use="",
        limits="",
    )


def _let_objects_be_seen(network_class: Any, folder: Path) -> None:
    """Random networks say of hardly an object that it is in sight: nothing would be compared."""
    network = network_class.from_pretrained(folder)
    tracker = getattr(network, "tracker_model", network)
    with torch.no_grad():
        tracker.mask_decoder.pred_obj_score_head.proj_out.bias += 0.5
        tracker.mask_downsample.weight += 0.2
    network.save_pretrained(folder)
