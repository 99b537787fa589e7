"""The renderer: repeatable, and true to its own instance map."""

import numpy as np
import pytest

from samples.scenes.annotations import LEAST_VISIBLE_SHARE, annotate
from samples.scenes.objects import KINDS
from samples.scenes.scene import render_scene
from samples.scenes.shapes import render_shapes
from vision.models.demo_networks import DEMO_LABELS

SEEDS = range(12)


def test_kinds_are_the_networks_labels_in_order():
    assert tuple(kind.label for kind in KINDS) == DEMO_LABELS


@pytest.mark.parametrize("render", [render_scene, render_shapes], ids=["yard", "shapes"])
def test_one_seed_always_gives_the_same_scene(render):
    first, again, other = render(7), render(7), render(8)

    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.instances, again.instances)
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize(
    ("height", "width"),
    [(256, 256), (480, 640), (600, 800)],
    ids=["training", "landscape", "large"],
)
def test_a_scene_has_the_size_asked_for(height, width):
    scene = render_scene(3, height=height, width=width)

    assert scene.image.shape == (height, width, 3)
    assert scene.image.dtype == np.uint8
    assert scene.instances.shape == (height, width)


def test_boxes_are_tight_around_the_instance_map():
    for scene in map(render_scene, SEEDS):
        objects = annotate(scene)
        for (x1, y1, x2, y2), number in zip(
            objects.boxes.astype(int), objects.numbers, strict=True
        ):
            mask = scene.instances == number
            inside = mask[y1:y2, x1:x2]
            assert inside.sum() == mask.sum()
            assert inside[0].any()
            assert inside[-1].any()
            assert inside[:, 0].any()
            assert inside[:, -1].any()


def test_mostly_hidden_objects_are_ignored_and_only_those():
    seen = []
    for scene in map(render_scene, range(40)):
        objects = annotate(scene)
        full = scene.full_areas[objects.numbers - 1]
        shown = np.array([(scene.instances == number).sum() for number in objects.numbers])
        seen += list(objects.is_ignored)
        assert np.all(shown[~objects.is_ignored] >= LEAST_VISIBLE_SHARE * full[~objects.is_ignored])

    assert any(seen)
    assert not all(seen)


def test_every_kind_appears_and_is_where_its_class_says():
    shown = {
        int(class_id)
        for scene in map(render_scene, range(40))
        for class_id in annotate(scene).wanted().class_ids
    }

    assert shown == set(range(1, len(KINDS) + 1))


def test_shapes_have_no_class():
    assert not any(render_shapes(seed).class_ids.any() for seed in SEEDS)
