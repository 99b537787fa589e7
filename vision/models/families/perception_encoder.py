"""Perception Encoder (PE-Core): pictures and words to vectors in one space, by open_clip and timm.

The folder is one of open_clip's: its config and one file of tensors. Upstream's own loader isn't
used: it would stretch position embeddings of another length in silence, look for networks on the
hub by names in the config, and set up the process's logging.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from open_clip.model import CustomTextCLIP
from open_clip.tokenizer import SimpleTokenizer
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from vision.domain.image import RgbImage
from vision.errors import WeightsMismatch
from vision.models.base import Embedder, ModelIdentity, TextEmbedder
from vision.models.device import Placement
from vision.models.families import Family
from vision.models.passes import Passes
from vision.models.picture_embedding import CPU_BATCH
from vision.models.snapshots import OPEN_CLIP_CONFIG
from vision.models.spec import ModelSpec
from vision.models.state import BROKEN_FILE, load_state, memory_bytes, read_state

WEIGHTS_FILE = "open_clip_model.safetensors"
TRUNKS = "vit_pe_"
"""How timm's names of the family's picture towers begin; with others it might go to the hub."""
ELSEWHERE = ("hf_model_name", "hf_tokenizer_name")
"""Of a text tower that isn't the family's: upstream would look for it on the hub."""
SQUEEZED = "squash"
"""What the family does to pictures that aren't square."""


class PerceptionEncoder(TextEmbedder):
    """The two towers of one CLIP. Vectors are upstream's `encode_image` and `encode_text`."""

    def __init__(
        self, network: Any, preprocessing: PreprocessCfg, *, identity: ModelIdentity
    ) -> None:
        """Any: upstream is untyped."""
        super().__init__(identity, memory_bytes=memory_bytes(network))
        self.dimensions = network.text.output_dim
        self._placement = Placement(identity.device, identity.precision)
        self._network = network.to(identity.device).eval()
        self._prepare = image_transform_v2(preprocessing, is_train=False)
        self._tokenize = SimpleTokenizer(context_length=network.context_length)
        height, width = network.visual.image_size
        self._shape = f"{width}x{height}"
        self._passes = Passes(self, on_cpu=CPU_BATCH)

    def _embed(self, images: Sequence[RgbImage]) -> NDArray[np.float32]:
        return np.stack(self._passes.each(images, self._of_pictures, shape=self._shape))

    def _embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack(self._passes.each(texts, self._of_texts, shape="words"))

    @torch.inference_mode()
    def _of_pictures(self, images: list[RgbImage]) -> list[NDArray[np.float32]]:
        pixels = torch.stack([self._prepare(Image.fromarray(image)) for image in images])
        with self._placement.autocast():
            vectors = self._network.encode_image(pixels.to(self.identity.device))
        return list(vectors.float().cpu().numpy())

    @torch.inference_mode()
    def _of_texts(self, texts: list[str]) -> list[NDArray[np.float32]]:
        tokens = self._tokenize(texts).to(self.identity.device)
        with self._placement.autocast():
            vectors = self._network.encode_text(tokens)
        return list(vectors.float().cpu().numpy())


def load(spec: ModelSpec, folder: Path, identity: ModelIdentity) -> PerceptionEncoder:
    """Both towers, as the folder's config describes them."""
    config = _config(spec, folder)
    try:
        network = CustomTextCLIP(**config["model_cfg"])
        preprocessing = PreprocessCfg(
            **config["preprocess_cfg"] | {"size": network.visual.image_size}
        )
    except BROKEN_FILE as error:
        raise WeightsMismatch(f"{spec.name}: {OPEN_CLIP_CONFIG} can't be used: {error}") from error
    state = read_state(folder / WEIGHTS_FILE)
    load_state(network, state, what=f"{WEIGHTS_FILE} doesn't fit {OPEN_CLIP_CONFIG}")
    return PerceptionEncoder(network, preprocessing, identity=identity)


def _config(spec: ModelSpec, folder: Path) -> Mapping[str, Any]:
    """Raises WeightsMismatch unless all that it describes is the family's own."""
    try:
        config = json.loads((folder / OPEN_CLIP_CONFIG).read_text("utf-8"))
        model = {**config["model_cfg"]}
        model.pop("custom_text", None)
        is_the_familys = (
            model["vision_cfg"]["timm_model_name"].startswith(TRUNKS)
            and not any(model["text_cfg"].get(key) for key in ELSEWHERE)
            and config["preprocess_cfg"].get("resize_mode") == SQUEEZED
        )
        model["vision_cfg"] = {**model["vision_cfg"], "timm_model_pretrained": False}
    except BROKEN_FILE as error:
        raise WeightsMismatch(f"{spec.name}: {OPEN_CLIP_CONFIG} can't be used: {error}") from error
    if not is_the_familys:
        raise WeightsMismatch(f"{spec.name}: {OPEN_CLIP_CONFIG} describes no Perception Encoder")
    return {"model_cfg": model, "preprocess_cfg": config["preprocess_cfg"]}


FAMILY = Family(loaders={Embedder: load, TextEmbedder: load})
