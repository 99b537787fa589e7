"""The two demo networks: narrow, for pictures of 256 pixels, small enough to ship.

Their weights are made by `python -m samples.train`; nothing here loads them.
"""

from collections import OrderedDict

import torch
from segment_anything.modeling import MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.rpn import AnchorGenerator, RPNHead
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign

DEMO_LABELS: tuple[str, ...] = (
    "person",
    "car",
    "truck",
    "dog",
    "ball",
    "crate",
    "cone",
    "barrel",
)
"""In the order of the detector's class ids, which start at 1 (0 is the background)."""

DEMO_IMAGE_SIDE = 256
"""The longer side of what both networks see."""
PIXEL_MEAN, PIXEL_DEVIATION = 0.45, 0.25
"""One value for all channels: the scenes' colours are evenly spread."""

STEM_CHANNELS = 16
STAGE_CHANNELS = (24, 48, 96, 160)
STAGE_DEPTHS = (1, 2, 2, 1)
PYRAMID_CHANNELS = 64
PYRAMID_LEVELS = ("stride8", "stride16", "stride32")

ANCHOR_SIDES = ((16, 24), (40, 60), (90, 140))
ANCHOR_ASPECTS = ((0.5, 1.0, 2.0),) * len(PYRAMID_LEVELS)
BOX_HEAD_CHANNELS = 128
BOX_ROI_SIDE, MASK_ROI_SIDE = 7, 14
MASK_HEAD_CHANNELS = 48

SAM_STRIDE = 16
SAM_CHANNELS = 128
SAM_FINE_CHANNELS = 16
SAM_HEADS = 4
SAM_MLP_CHANNELS = 256
SAM_IOU_HEAD_CHANNELS = 64
SAM_PROMPT_MASK_CHANNELS = 8
NORM_GROUPS = 8


def convolved(inputs: int, outputs: int, *, stride: int = 1) -> nn.Sequential:
    """A 3 x 3 convolution and its batch norm."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
    )


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut; a change of size happens at its entry."""

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.first = convolved(inputs, outputs, stride=stride)
        self.second = convolved(outputs, outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride),
                nn.Conv2d(inputs, outputs, 1, bias=False),
                nn.BatchNorm2d(outputs),
            )

    def forward(self, features: Tensor) -> Tensor:
        changed: Tensor = self.second(functional.relu(self.first(features)))
        return functional.relu(changed + self.shortcut(features))


class NarrowResNet(nn.Module):
    """(n, 3, h, w) pixels to four maps, at strides 4, 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = convolved(3, STEM_CHANNELS, stride=2)
        inputs = (STEM_CHANNELS, *STAGE_CHANNELS)
        self.stages = nn.ModuleList(
            nn.Sequential(
                ResidualBlock(inputs[stage], outputs, stride=2),
                *(ResidualBlock(outputs, outputs, stride=1) for _ in range(depth - 1)),
            )
            for stage, (outputs, depth) in enumerate(zip(STAGE_CHANNELS, STAGE_DEPTHS, strict=True))
        )

    def forward(self, pixels: Tensor) -> list[Tensor]:
        features = functional.relu(self.stem(pixels))
        maps: list[Tensor] = []
        for stage in self.stages:
            features = stage(features)
            maps.append(features)
        return maps


class PyramidBackbone(nn.Module):
    """The narrow network with a feature pyramid over its strides 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.out_channels = PYRAMID_CHANNELS  # torchvision's detectors read this name
        self.body = NarrowResNet()
        self.pyramid = FeaturePyramidNetwork(list(STAGE_CHANNELS[1:]), PYRAMID_CHANNELS)

    def forward(self, pixels: Tensor) -> OrderedDict[str, Tensor]:
        return self.joined(self.body(pixels)[1:])

    def joined(self, maps: list[Tensor]) -> OrderedDict[str, Tensor]:
        """The pyramid over the body's maps of strides 8, 16 and 32."""
        levels: OrderedDict[str, Tensor] = self.pyramid(
            OrderedDict(zip(PYRAMID_LEVELS, maps, strict=True))
        )
        return levels


def build_demo_maskrcnn(num_classes: int = len(DEMO_LABELS) + 1) -> MaskRCNN:
    """torchvision's Mask R-CNN over the narrow backbone, with fresh random weights.

    `num_classes` counts the background.
    """
    anchors_per_place = len(ANCHOR_SIDES[0]) * len(ANCHOR_ASPECTS[0])
    levels = list(PYRAMID_LEVELS)
    return MaskRCNN(
        PyramidBackbone(),
        min_size=DEMO_IMAGE_SIDE,
        max_size=DEMO_IMAGE_SIDE,
        image_mean=[PIXEL_MEAN] * 3,
        image_std=[PIXEL_DEVIATION] * 3,
        rpn_anchor_generator=AnchorGenerator(ANCHOR_SIDES, ANCHOR_ASPECTS),
        rpn_head=RPNHead(PYRAMID_CHANNELS, anchors_per_place, conv_depth=1),
        rpn_pre_nms_top_n_train=400,
        rpn_pre_nms_top_n_test=300,
        rpn_post_nms_top_n_train=200,
        rpn_post_nms_top_n_test=120,
        rpn_batch_size_per_image=128,
        box_roi_pool=MultiScaleRoIAlign(levels, BOX_ROI_SIDE, 2),
        box_head=TwoMLPHead(PYRAMID_CHANNELS * BOX_ROI_SIDE**2, BOX_HEAD_CHANNELS),
        box_predictor=FastRCNNPredictor(BOX_HEAD_CHANNELS, num_classes),
        box_batch_size_per_image=48,
        box_score_thresh=0.02,
        box_detections_per_img=60,
        mask_roi_pool=MultiScaleRoIAlign(levels, MASK_ROI_SIDE, 2),
        mask_head=MaskRCNNHeads(PYRAMID_CHANNELS, [MASK_HEAD_CHANNELS] * 2, 1),
        mask_predictor=MaskRCNNPredictor(MASK_HEAD_CHANNELS, MASK_HEAD_CHANNELS, num_classes),
    )


class NarrowImageEncoder(nn.Module):
    """(n, 3, 256, 256) normalised pixels to (n, 128, 16, 16), in the place of SAM's ViT.

    Strides 4 and 8 are folded into stride 16, so the mask decoder still sees fine edges.
    """

    def __init__(self) -> None:
        super().__init__()
        self.img_size = DEMO_IMAGE_SIDE  # segment_anything reads this name
        self.backbone = PyramidBackbone()
        self.fine = nn.Conv2d(STAGE_CHANNELS[0], SAM_FINE_CHANNELS, 1)
        folded = SAM_FINE_CHANNELS * 16 + PYRAMID_CHANNELS * 4 + PYRAMID_CHANNELS
        self.neck = nn.Sequential(
            nn.Conv2d(folded, SAM_CHANNELS, 1),
            nn.GroupNorm(NORM_GROUPS, SAM_CHANNELS),
            nn.GELU(),
            nn.Conv2d(SAM_CHANNELS, SAM_CHANNELS, 3, padding=1),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        stride4, *maps = self.backbone.body(pixels)
        levels = self.backbone.joined(maps)
        folded = (
            functional.pixel_unshuffle(self.fine(stride4), 4),
            functional.pixel_unshuffle(levels["stride8"], 2),
            levels["stride16"],
        )
        embedding: Tensor = self.neck(torch.cat(folded, 1))
        return embedding


def build_demo_sam() -> Sam:
    """segment-anything's own model over the narrow encoder, with fresh random weights."""
    grid = DEMO_IMAGE_SIDE // SAM_STRIDE
    return Sam(
        image_encoder=NarrowImageEncoder(),
        prompt_encoder=PromptEncoder(
            embed_dim=SAM_CHANNELS,
            image_embedding_size=(grid, grid),
            input_image_size=(DEMO_IMAGE_SIDE, DEMO_IMAGE_SIDE),
            mask_in_chans=SAM_PROMPT_MASK_CHANNELS,
        ),
        mask_decoder=MaskDecoder(
            transformer_dim=SAM_CHANNELS,
            transformer=TwoWayTransformer(
                depth=2,
                embedding_dim=SAM_CHANNELS,
                num_heads=SAM_HEADS,
                mlp_dim=SAM_MLP_CHANNELS,
            ),
            num_multimask_outputs=3,
            iou_head_depth=2,
            iou_head_hidden_dim=SAM_IOU_HEAD_CHANNELS,
        ),
        pixel_mean=[PIXEL_MEAN * 255] * 3,
        pixel_std=[PIXEL_DEVIATION * 255] * 3,
    )
