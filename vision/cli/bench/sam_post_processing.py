"""From small logits to masks, alone: upstream's steps against ours."""

from segment_anything import SamAutomaticMaskGenerator
from segment_anything.utils.amg import batch_iterator
from segment_anything.utils.transforms import ResizeLongestSide

from vision.cli.bench.measure import Figure, spent_in_turn
from vision.cli.bench.sam_answered import (
    AnsweredPredictor,
    AnsweredSeen,
    Answering,
    answered_network,
    as_detections,
    require_same,
)
from vision.cli.bench.sam_scene import Scene
from vision.domain.detections import Detections
from vision.domain.image import ImageSize, RgbImage
from vision.models.base import ModelIdentity
from vision.models.everything import everything_in
from vision.models.segment_anything import SegmentAnything

TARGET = 50.0


def post_processing(scene: Scene, size: ImageSize) -> Figure:
    """Ours to the end, upstream only up to its run lengths. Raises ValueError if they differ."""
    image = scene.image(size)
    seen = _seen(scene, size)
    generator = _upstream(scene, size)
    with scene.threads(2):
        expected = as_detections(generator.generate(image))
    require_same(_ours(scene, seen, image), expected)
    generator.predictor.set_image(image)
    with scene.threads(1):
        spent = spent_in_turn(
            {
                "ours": lambda: _ours(scene, seen, image),
                "upstream": lambda: _upstream_batches(generator, size),
            },
            rounds=scene.rounds,
        )
    return scene.compared(
        f"post-processing to {size.width} × {size.height}, {_candidates(scene, size)} candidates",
        ours=spent["ours"],
        reference="upstream's",
        theirs=spent["upstream"],
        target=None if scene.is_on_gpu else TARGET,
    )


def _candidates(scene: Scene, size: ImageSize) -> int:
    """How many masks are trusted enough to be looked at."""
    predicted_iou = scene.answers(size).predicted_iou
    return int((predicted_iou > scene.options.pred_iou_thresh).sum())


def _ours(scene: Scene, seen: AnsweredSeen, image: RgbImage) -> Detections:
    return everything_in(
        image, scene.options, look=lambda _picture: seen, look_at_crop=lambda _crop: None
    )


def _seen(scene: Scene, size: ImageSize) -> AnsweredSeen:
    answering = Answering(scene.answers(size))
    network = answered_network(scene, answering, is_encoded=False)
    side = network.image_encoder.img_size
    identity = ModelIdentity("sam", "0" * 64, scene.device, "float32")
    scaled = ResizeLongestSide.get_preprocess_shape(size.height, size.width, side)
    enlargement = SegmentAnything(network, identity=identity).enlargement(scaled, size)
    return AnsweredSeen(enlargement, answering)


def _upstream(scene: Scene, size: ImageSize) -> SamAutomaticMaskGenerator:
    answering = Answering(scene.answers(size))
    network = answered_network(scene, answering, is_encoded=False)
    generator = SamAutomaticMaskGenerator(
        network, **scene.options.upstreams(), output_mode="coco_rle"
    )
    generator.predictor = AnsweredPredictor(network, answering)
    return generator


def _upstream_batches(generator: SamAutomaticMaskGenerator, size: ImageSize) -> None:
    """Of the whole grid; without what upstream does once a picture."""
    shape, whole = (size.height, size.width), [0, 0, size.width, size.height]
    points = generator.point_grids[0] * [size.width, size.height]
    for (some,) in batch_iterator(generator.points_per_batch, points):
        generator._process_batch(some, shape, whole, shape)
