"""segment-anything's predictor inside its generator, sparing masks that are thrown away at once.

Upstream enlarges every candidate to the size of the image and then drops those that the network
itself trusts too little: often more than half. Enlarging is most of the time for a small network
and most of the memory for every network. What is kept is upstream's, bit for bit.
"""

import torch
from segment_anything import SamPredictor
from segment_anything.modeling import Sam
from torch import Tensor


class FrugalPredictor(SamPredictor):  # type: ignore[misc]  # upstream is untyped
    """For a generator with this `pred_iou_thresh`."""

    def __init__(self, network: Sam, *, pred_iou_thresh: float) -> None:
        super().__init__(network)
        self._threshold = pred_iou_thresh

    def predict_torch(
        self,
        point_coords: Tensor,
        point_labels: Tensor,
        *,
        multimask_output: bool,
        return_logits: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As upstream's, with logits; rows that the generator drops hold no meaningful values."""
        if not return_logits:
            raise ValueError("a generator asks for logits")
        sparse, dense = self.model.prompt_encoder((point_coords, point_labels), None, None)
        small, predicted_iou = self.model.mask_decoder(
            image_embeddings=self.features,
            image_pe=self.model.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=multimask_output,
        )
        return self._enlarged(small, predicted_iou), predicted_iou, small

    def _enlarged(self, small: Tensor, predicted_iou: Tensor) -> Tensor:
        # Never written, never read: memory that is only reserved costs nothing.
        large = small.new_empty((*small.shape[:2], *self.original_size))
        wanted = predicted_iou > self._threshold
        if self._threshold <= 0:  # then the generator drops none
            wanted = torch.ones_like(wanted)
        if bool(wanted.any()):
            large[wanted] = self.model.postprocess_masks(
                small[wanted][:, None], self.input_size, self.original_size
            )[:, 0]
        return large
