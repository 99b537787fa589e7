"""Networks that answer with queries, each a class and a small mask, read as regions.

The rules are those of transformers 5's `post_process_panoptic_segmentation`,
`post_process_instance_segmentation` and `post_process_semantic_segmentation`, of DETR and of
Mask2Former; a parity test compares every bit. What differs: scores aren't rounded to six digits,
and the memory needed doesn't grow with the number of queries times the picture's size.
"""

import numpy as np
import torch
from torch import Tensor

from vision.domain.image import ImageSize
from vision.models.regions import Contest, Regions, enlarged

MASK_THRESHOLD = 0.5
MOSTLY_OWN = 0.8
"""A segment that keeps no more than this part of its mask against the others is none."""
NOTHING = 1e-6
"""Upstream's, against division by zero."""


def panoptic_regions(
    class_logits: Tensor, mask_logits: Tensor, size: ImageSize, *, min_score: float
) -> Regions:
    """Every pixel in one segment at most; no two segments are fused, of whatever class.

    From (queries, classes + 1) with "nothing" last, and (queries, h, w). Queries below `min_score`
    don't compete for pixels.
    """
    scores, class_ids = class_logits.softmax(-1).max(-1)
    is_something = class_ids != class_logits.shape[-1] - 1
    rivals = torch.nonzero(is_something & (scores >= min_score))[:, 0]
    contest = Contest(size, mask_logits.device)
    areas = [
        _entered(contest, number, mask_logits[rival].sigmoid(), scores[rival], size)
        for number, rival in enumerate(rivals)
    ]
    own = [torch.sum(contest.owner == number) for number in range(len(rivals))]
    stays = [number for number, _ in enumerate(rivals) if _is_segment(own[number], areas[number])]
    rows = rivals[torch.tensor(stays, dtype=torch.int64, device=rivals.device)]
    return Regions(
        scores=scores[rows].cpu().numpy(),
        class_ids=class_ids[rows].cpu().numpy(),
        bitmap=lambda row: contest.owner == stays[row],
    )


def _entered(
    contest: Contest, number: int, probabilities: Tensor, score: Tensor, size: ImageSize
) -> Tensor:
    """The pixels of the whole mask, won or lost."""
    plane = enlarged(probabilities, size, mode="bilinear") * score
    contest.enter(plane, number)
    return torch.sum(plane >= MASK_THRESHOLD)


def _is_segment(own: Tensor, area: Tensor) -> bool:
    return bool(own > 0) and bool(area > 0) and (own / area).item() > MOSTLY_OWN


def instance_regions(class_logits: Tensor, mask_logits: Tensor, size: ImageSize) -> Regions:
    """As many instances as there are queries, which may overlap; a query may be several classes'.

    From (queries, classes + 1) with "nothing" last, and (queries, h, w). An instance's score is
    its class's times its mask's mean probability.
    """
    queries, classes = class_logits.shape[0], class_logits.shape[1] - 1
    of_class = class_logits.softmax(-1)[:, :-1].flatten()
    class_scores, chosen = of_class.topk(queries, sorted=False)
    query = torch.div(chosen, classes, rounding_mode="floor")
    inside = (mask_logits > 0).float()
    likely = (mask_logits.sigmoid().flatten(1) * inside.flatten(1)).sum(1)
    mask_scores = likely / (inside.flatten(1).sum(1) + NOTHING)
    scores = class_scores * mask_scores[query]
    shown = _is_shown(inside, size)[query]
    queries_shown = query[shown].tolist()
    return Regions(
        scores=scores[shown].cpu().numpy(),
        class_ids=(chosen % classes)[shown].cpu().numpy(),
        bitmap=lambda row: enlarged(inside[queries_shown[row]], size, mode="nearest") > 0,
    )


def _is_shown(inside: Tensor, size: ImageSize) -> Tensor:
    """(queries,) whether a pixel of the mask is in the picture: a small picture shows only some."""
    height, width = inside.shape[1:]
    rows = _taken(height, size.height, inside.device)
    columns = _taken(width, size.width, inside.device)
    return inside[:, rows][:, :, columns].flatten(1).any(1)


def _taken(count: int, wanted: int, device: torch.device) -> Tensor:
    """Which of `count` pixels in a line are seen when it gets `wanted`."""
    line = torch.arange(count, device=device, dtype=torch.float32)[None]
    seen = enlarged(line, ImageSize(width=wanted, height=1), mode="nearest")
    places: Tensor = torch.unique(seen)
    return places.long()


def semantic_regions(values: Tensor, size: ImageSize) -> Regions:
    """A region for each class that is the likeliest somewhere, in one piece or several.

    From (classes, h, w), at least 0. A region's score is the mean of its class's part of all
    values.
    """
    contest, total = Contest(size, values.device), torch.zeros((), device=values.device)
    for class_id, plane in enumerate(values):
        large = enlarged(plane, size, mode="bilinear")
        contest.enter(large, class_id)
        total = total + large
    part = contest.best / total.clamp(min=torch.finfo(total.dtype).tiny)
    present = torch.unique(contest.owner).tolist()
    scores = [part[contest.owner == class_id].double().mean().item() for class_id in present]
    return Regions(
        scores=np.array(scores, np.float32),
        class_ids=np.array(present, np.int64),
        bitmap=lambda row: contest.owner == present[row],
    )


def class_values(class_logits: Tensor, mask_logits: Tensor) -> Tensor:
    """(classes, h, w): how much all queries together speak for each class at each place."""
    classes = class_logits.softmax(-1)[:, :-1]
    return torch.einsum("qc, qhw -> chw", classes, mask_logits.sigmoid())
