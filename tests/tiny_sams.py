"""Promptable networks with seeded random weights, saved as a hub's snapshot of them looks.

Configuration, processor and safetensors of the video class, from which upstream's classes for
pictures load too: so it is with the published ones.
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    CLIPTokenizer,
    EdgeTamVideoConfig,
    EdgeTamVideoModel,
    Sam2ImageProcessor,
    Sam2VideoConfig,
    Sam2VideoModel,
    Sam2VideoProcessor,
    Sam2VideoVideoProcessor,
    Sam3Config,
    Sam3ImageProcessor,
    Sam3LiteTextConfig,
    Sam3LiteTextModel,
    Sam3Processor,
    Sam3VideoConfig,
    Sam3VideoModel,
    Sam3VideoProcessor,
    TimmWrapperConfig,
)

SEED = 7
SIDE = 128
"""Pixels that SAM 2 sees across; a power of two, so that upstream's grids of points are exact."""
SAM3_SIDE = 112
PATCH = 16
SAM3_PATCH = 14
HIDDEN = 128
"""Memory attention wants a multiple of 64 above 64."""
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789'-"
VOCABULARY = (
    *LETTERS,
    *(f"{letter}</w>" for letter in LETTERS),
    "<|startoftext|>",
    "<|endoftext|>",
)
DECODER = {
    "hidden_size": HIDDEN,
    "mlp_dim": 128,
    "num_attention_heads": 4,
    "iou_head_hidden_dim": 64,
}
MEMORY = {
    "memory_attention_hidden_size": HIDDEN,
    "memory_attention_num_layers": 1,
    "memory_attention_rope_feat_sizes": [8, 8],
    "memory_encoder_hidden_size": HIDDEN,
    "mask_downsampler_embed_dim": HIDDEN,
    "memory_fuser_embed_dim": HIDDEN,
    "memory_fuser_intermediate_dim": 128,
    "memory_fuser_num_layers": 1,
}
HIERA = {
    "model_type": "sam2_hiera_det_model",
    "hidden_size": 16,
    "image_size": [SIDE, SIDE],
    "num_attention_heads": 1,
    "blocks_per_stage": [1, 1, 2, 1],
    "embed_dim_per_stage": [16, 32, 64, 128],
    "num_attention_heads_per_stage": [1, 1, 2, 4],
    "window_size_per_stage": [8, 4, 4, 4],
    "global_attention_blocks": [3],
}
LEVELS = {"backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]], "fpn_hidden_size": HIDDEN}
SAM3_VISION = {
    "model_type": "sam3_vision_model",
    "backbone_config": {
        "model_type": "sam3_vit_model",
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": SAM3_SIDE,
        "patch_size": SAM3_PATCH,
        "window_size": 4,
        "global_attn_indexes": [1],
        "pretrain_image_size": SAM3_SIDE // 2,
    },
    **LEVELS,
}
DETR = {"hidden_size": HIDDEN, "num_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
DETECTOR = {
    "vision_config": SAM3_VISION,
    "geometry_encoder_config": {**DETR, "num_layers": 1},
    "detr_encoder_config": DETR,
    "detr_decoder_config": {**DETR, "num_queries": 12},
    "mask_decoder_config": {"hidden_size": HIDDEN, "num_attention_heads": 4},
}
TEXT = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 64,
    "intermediate_size": 128,
    "projection_dim": 32,
    "num_attention_heads": 2,
    "max_position_embeddings": 32,
    "bos_token_id": len(VOCABULARY) - 2,
    "eos_token_id": len(VOCABULARY) - 1,
    "pad_token_id": len(VOCABULARY) - 1,
}


def save_sam2(folder: Path) -> None:
    """Hiera, for pictures and videos."""
    config = Sam2VideoConfig(
        vision_config={
            "backbone_config": HIERA,
            "backbone_channel_list": [128, 64, 32, 16],
            **LEVELS,
        },
        prompt_encoder_config=_prompts(SIDE, PATCH),
        mask_decoder_config=DECODER,
        image_size=SIDE,
        memory_attention_feed_forward_hidden_size=128,
        **MEMORY,
    )
    _save(Sam2VideoModel, config, folder)
    _sam2_processor().save_pretrained(folder)


def save_edgetam(folder: Path) -> None:
    """With the RepViT of the published one, which timm makes."""
    backbone = TimmWrapperConfig(
        architecture="repvit_m1",
        model_args={"in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3]},
        num_labels=1000,
    )
    config = EdgeTamVideoConfig(
        vision_config={
            "model_type": "edgetam_vision_model",
            "backbone_config": backbone.to_dict(),
            **LEVELS,
        },
        prompt_encoder_config=_prompts(SIDE, PATCH),
        mask_decoder_config=DECODER,
        image_size=SIDE,
        memory_attention_mlp_hidden_size=128,
        memory_attention_rope_k_sizes=[4, 4],
        perceiver_resampler_num_latents=16,
        perceiver_resampler_num_latents_2d=16,
        perceiver_resampler_num_layers=1,
        **MEMORY,
    )
    _save(EdgeTamVideoModel, config, folder)
    _sam2_processor().save_pretrained(folder)
    _lay_out_as_published(folder)


def save_sam3(folder: Path) -> None:
    """The detector of words and the tracker of points, which share their image encoder."""
    text = {"model_type": "clip_text_model", "hidden_act": "gelu", "num_hidden_layers": 2, **TEXT}
    config = Sam3VideoConfig(
        detector_config=Sam3Config(text_config=text, **DETECTOR).to_dict(),
        tracker_config={
            "model_type": "sam3_tracker_video",
            "vision_config": SAM3_VISION,
            "prompt_encoder_config": _prompts(SAM3_SIDE, SAM3_PATCH),
            "mask_decoder_config": DECODER,
            "image_size": SAM3_SIDE,
            "memory_attention_feed_forward_hidden_size": 128,
            **MEMORY,
        },
        low_res_mask_size=32,
    )
    _save(Sam3VideoModel, config, folder)
    processor = Sam3VideoProcessor(
        _sam3_image_processor(), Sam2VideoVideoProcessor(size=_square(SAM3_SIDE)), tiny_tokenizer()
    )
    processor.save_pretrained(folder)


def save_sam3_litetext(folder: Path) -> None:
    """With RepMixer blocks at both ends of the text encoder, as published."""
    text = {"num_hidden_layers": 3, "repmixer_kernel_size": 3, **TEXT}
    _save(Sam3LiteTextModel, Sam3LiteTextConfig(text_config=text, **DETECTOR), folder)
    Sam3Processor(_sam3_image_processor(), tiny_tokenizer()).save_pretrained(folder)


def tiny_tokenizer() -> CLIPTokenizer:
    """CLIP's, without merges: letter by letter."""
    vocabulary = {token: number for number, token in enumerate(VOCABULARY)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=32)


def _save(network_class: Any, config: Any, folder: Path) -> None:
    torch.manual_seed(SEED)
    network = network_class(config).eval()
    network.apply(_spread)
    if isinstance(network, EdgeTamVideoModel):
        _settle_batch_norm(network.vision_encoder)
    # In the "original format" upstream writes names of sam3_video that it can't read again.
    network.save_pretrained(folder, save_original_format=False)


def _spread(module: nn.Module) -> None:
    """Upstream's own start lets every prompt say nearly the same: no signal, only rounding."""
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5)
    if isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight)


def _settle_batch_norm(encoder: nn.Module) -> None:
    """Let it see a picture: else the signal of a deep random network explodes or dies away."""
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
            module.train()
    with torch.no_grad():
        encoder(torch.randn(1, 3, SIDE, SIDE))
    encoder.eval()


def _prompts(side: int, patch: int) -> dict[str, int]:
    return {
        "hidden_size": HIDDEN,
        "image_size": side,
        "patch_size": patch,
        "mask_input_channels": 8,
    }


def _sam2_processor() -> Sam2VideoProcessor:
    image_processor = Sam2ImageProcessor(size=_square(SIDE), mask_size=_square(SIDE // 4))
    return Sam2VideoProcessor(image_processor, Sam2VideoVideoProcessor(size=_square(SIDE)))


def _lay_out_as_published(folder: Path) -> None:
    """SAM 2.1 and EdgeTAM were saved by an older transformers: a file for each processor."""
    file = folder / "processor_config.json"
    whole = json.loads(file.read_text())
    image = whole.pop("image_processor") | {"image_processor_type": "Sam2ImageProcessorFast"}
    (folder / "preprocessor_config.json").write_text(json.dumps(image))
    video = whole.pop("video_processor")
    (folder / "video_preprocessor_config.json").write_text(json.dumps(video))
    file.write_text(json.dumps(whole))


def _sam3_image_processor() -> Sam3ImageProcessor:
    return Sam3ImageProcessor(size=_square(SAM3_SIDE), mask_size=_square(32))


def _square(side: int) -> dict[str, int]:
    return {"height": side, "width": side}
