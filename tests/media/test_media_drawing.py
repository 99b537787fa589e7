"""What is drawn, where, and in which colours."""

import dataclasses
import io

import numpy as np
import pytest
from media_files import exif, picture, saved
from numpy.typing import NDArray
from PIL import Image

from vision.domain.detections import Detections
from vision.domain.image import ImageSize, RgbImage
from vision.domain.mask import RleMask
from vision.media.decode_process import DecodeProcess
from vision.media.draw import draw
from vision.media.drawing.chips import Chip, Label, place
from vision.media.drawing.palette import BLACK, WHITE, instance_color, label_color, readable_on
from vision.media.overlay import Overlay

GREY = np.full((300, 400, 3), 120, np.uint8)
DEMO_LABELS = ("person", "car", "truck", "dog", "ball", "crate", "cone", "barrel")


def _detections(
    boxes: list[list[float]], labels: list[str], masks: tuple[RleMask, ...] | None = None
) -> Detections:
    return Detections(
        boxes=np.array(boxes, np.float32).reshape(len(labels), 4),
        labels=tuple(labels),
        class_ids=np.zeros(len(labels), np.int64),
        scores=np.full(len(labels), 0.87, np.float32),
        masks=masks,
    )


def _disc(height: int, width: int, *, center: tuple[int, int], radius: int) -> NDArray[np.bool_]:
    y, x = np.mgrid[:height, :width]
    disc: NDArray[np.bool_] = (x - center[0]) ** 2 + (y - center[1]) ** 2 < radius**2
    return disc


def _color_at(image: RgbImage, x: int, y: int) -> tuple[int, ...]:
    return tuple(image[y, x].tolist())


def test_drawing_leaves_the_argument_alone() -> None:
    before = GREY.copy()

    drawn = draw(GREY, Overlay(_detections([[50, 50, 200, 200]], ["car"])))

    assert np.array_equal(GREY, before)
    assert drawn.shape == GREY.shape
    assert drawn.dtype == np.uint8


def test_nothing_found_changes_nothing() -> None:
    assert np.array_equal(draw(GREY, Overlay(Detections.empty())), GREY)


def test_a_box_is_an_outline_in_its_label_s_colour() -> None:
    overlay = Overlay(_detections([[50, 60, 250, 260]], ["car"]), draw_labels=False)

    drawn = draw(GREY, overlay)

    for x, y in ((50, 150), (250, 150), (150, 60), (150, 260)):
        assert _color_at(drawn, x, y) == label_color("car")
    assert _color_at(drawn, 150, 150) == (120, 120, 120)
    assert _color_at(drawn, 20, 20) == (120, 120, 120)


def test_lines_are_anti_aliased() -> None:
    overlay = Overlay(_detections([[50.3, 60.3, 250.3, 260.3]], ["car"]), draw_labels=False)

    colors = {tuple(color) for color in draw(GREY, overlay)[:, 150].tolist()}

    assert len(colors) > 3


def test_a_mask_is_translucent_with_an_opaque_outline() -> None:
    disc = _disc(300, 400, center=(200, 150), radius=80)
    found = _detections([[120, 70, 280, 230]], ["dog"], (RleMask.from_bitmap(disc),))

    drawn = draw(GREY, Overlay(found, draw_boxes=False, draw_labels=False))

    inside = np.array(_color_at(drawn, 200, 150))
    expected = 0.65 * 120 + 0.35 * np.array(label_color("dog"))
    assert np.abs(inside - expected).max() <= 2
    assert np.abs(np.array(_color_at(drawn, 120, 150)) - label_color("dog")).max() < 40
    assert _color_at(drawn, 100, 150) == (120, 120, 120)


def test_a_mask_of_one_pixel_shows() -> None:
    dot = np.zeros((300, 400), bool)
    dot[10, 20] = True
    found = _detections([[20, 10, 21, 11]], ["dog"], (RleMask.from_bitmap(dot),))

    drawn = draw(GREY, Overlay(found, draw_boxes=False, draw_labels=False))

    assert _color_at(drawn, 20, 10) != (120, 120, 120)


@pytest.mark.parametrize("name", ["draw_masks", "draw_boxes", "draw_labels", "draw_keypoints"])
def test_every_part_can_be_left_out(name: str) -> None:
    disc = RleMask.from_bitmap(_disc(300, 400, center=(200, 150), radius=60))
    found = dataclasses.replace(
        _detections([[100, 60, 300, 240]], ["person"], (disc,)),
        keypoints=np.array([[[150, 150, 1], [250, 150, 1]]], np.float32),
    )

    whole = draw(GREY, Overlay(found))
    without = draw(GREY, dataclasses.replace(Overlay(found), **{name: False}))

    assert not np.array_equal(whole, without)


def test_masks_that_nobody_named_get_colours_of_their_own_and_no_text() -> None:
    discs = [_disc(300, 400, center=(x, 150), radius=40) for x in (100, 300)]
    found = dataclasses.replace(
        _detections(
            [[60, 110, 140, 190], [260, 110, 340, 190]],
            ["object", "object"],
            tuple(RleMask.from_bitmap(disc) for disc in discs),
        ),
        scores=None,
    )

    drawn = draw(GREY, Overlay(found))

    assert _color_at(drawn, 100, 150) != _color_at(drawn, 300, 150)
    assert np.array_equal(drawn, draw(GREY, Overlay(found, draw_boxes=False, draw_labels=False)))


def test_a_track_keeps_its_colour_wherever_it_stands_in_the_list() -> None:
    left, right = [40, 60, 150, 260], [250, 60, 360, 260]
    plain = {"draw_labels": False, "draw_masks": False}
    first = Overlay(_detections([left, right], ["car", "car"]), track_ids=(3, 1_000_002), **plain)
    later = Overlay(_detections([right, left], ["car", "car"]), track_ids=(1_000_002, 3), **plain)

    drawn, again = draw(GREY, first), draw(GREY, later)

    assert _color_at(drawn, 40, 150) == _color_at(again, 40, 150) == instance_color(3)
    assert _color_at(drawn, 250, 150) == _color_at(again, 250, 150) == instance_color(1_000_002)
    assert _color_at(drawn, 40, 150) != _color_at(drawn, 250, 150)


def test_a_row_without_a_track_looks_as_it_always_did() -> None:
    found = _detections([[50, 60, 250, 260]], ["car"])

    assert np.array_equal(draw(GREY, Overlay(found, track_ids=(0,))), draw(GREY, Overlay(found)))
    assert not np.array_equal(
        draw(GREY, Overlay(found, track_ids=(5,))), draw(GREY, Overlay(found))
    )


def test_a_label_names_its_track() -> None:
    found = dataclasses.replace(_detections([[50, 60, 250, 260]], ["person"]), scores=None)
    track = next(n for n in range(1, 1000) if label_color(f"person #{n}") == instance_color(n))
    spelt_out = dataclasses.replace(found, labels=(f"person #{track}",))

    drawn = draw(GREY, Overlay(found, track_ids=(track,)))

    assert np.array_equal(drawn, draw(GREY, Overlay(spelt_out)))


def test_a_nameless_mask_that_is_followed_has_a_label() -> None:
    disc = RleMask.from_bitmap(_disc(300, 400, center=(200, 150), radius=60))
    overlay = Overlay(_detections([[140, 90, 260, 210]], ["object"], (disc,)), track_ids=(1,))

    assert not np.array_equal(
        draw(GREY, overlay), draw(GREY, dataclasses.replace(overlay, draw_labels=False))
    )


def test_the_first_tracks_differ_in_colour() -> None:
    assert len({instance_color(track) for track in range(1, 19)}) == 18


def test_track_ids_come_one_to_a_row() -> None:
    with pytest.raises(ValueError, match="2 track ids for 1 rows"):
        Overlay(_detections([[50, 60, 250, 260]], ["car"]), track_ids=(1, 2))


def test_labels_keep_their_colours_and_the_common_ones_differ() -> None:
    assert label_color("person") == (30, 150, 240)
    assert len({label_color(label) for label in DEMO_LABELS}) == len(DEMO_LABELS)
    assert len({instance_color(index) for index in range(18)}) == 18


def test_text_is_readable_on_every_colour() -> None:
    assert readable_on(BLACK) == WHITE
    assert readable_on(WHITE) == BLACK
    assert readable_on((250, 185, 20)) == BLACK
    assert readable_on((60, 20, 120)) == WHITE


def _chip(x: float, y: float, width: float = 60) -> Chip:
    label = Label("", BLACK, (x, y, x + 40, y + 40))
    return Chip(label, "", 12, width, 16)


def test_chips_stay_in_the_picture_and_off_each_other() -> None:
    random = np.random.default_rng(5)
    chips = [_chip(x, y) for x, y in random.uniform(-20, 980, (40, 2))]

    places = place(chips, ImageSize(width=1000, height=1000), gap=1)

    rectangles = np.hstack((places, places + np.array([60, 16])))
    assert rectangles.min() >= 0
    assert rectangles.max() <= 1000
    for index, one in enumerate(rectangles):
        for other in rectangles[:index]:
            shared = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
            assert shared.min() <= 0


def test_the_same_box_twice_gets_two_readable_labels() -> None:
    places = place([_chip(100, 100), _chip(100, 100)], ImageSize(width=500, height=500), gap=1)

    assert np.abs(places[0] - places[1]).max() >= 16


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (40, 30), (2000, 3)])
def test_small_pictures_and_odd_boxes_are_drawn_without_complaint(size: tuple[int, int]) -> None:
    boxes = [[0, 0, 1, 1], [-50, -50, 5000, 5000], [9000, 9000, 9100, 9100], [3, 3, 3, 3]]
    labels = ["a very long label that can't fit anywhere", "", "line\nbreak\x1b[31m", "日本語"]
    found = dataclasses.replace(
        _detections(boxes, labels), keypoints=np.full((4, 17, 3), 5000, np.float32)
    )
    image = np.asarray(picture(*size))

    assert draw(image, Overlay(found)).shape == image.shape


def test_a_person_s_keypoints_are_joined_and_the_unseen_left_out() -> None:
    points = np.zeros((1, 17, 3), np.float32)
    points[0, :, 2] = -1
    points[0, 5] = (100, 100, 4)
    points[0, 6] = (200, 100, 4)
    points[0, 7] = (100, 250, -2)
    found = dataclasses.replace(_detections([[0, 0, 1, 1]], ["person"]), keypoints=points)

    drawn = draw(GREY, Overlay(found, draw_boxes=False, draw_labels=False))

    assert _color_at(drawn, 150, 100) != (120, 120, 120)
    assert _color_at(drawn, 100, 180) == (120, 120, 120)


def test_an_overlay_survives_the_way_to_the_decode_process() -> None:
    disc = RleMask.from_bitmap(_disc(300, 400, center=(200, 150), radius=60))
    found = dataclasses.replace(
        _detections([[100.25, 60, 300, 240]], ["person"], (disc,)),
        keypoints=np.ones((1, 17, 3), np.float32),
    )
    overlay = Overlay(found, draw_boxes=False, track_ids=(7,))

    back = Overlay.from_json(overlay.to_json())

    assert np.array_equal(draw(GREY, back), draw(GREY, overlay))
    assert back.track_ids == (7,)
    assert Overlay.from_json(Overlay(Detections.empty()).to_json()).detections.labels == ()


@pytest.mark.parametrize(("media_type", "kind"), [("image/jpeg", "JPEG"), ("image/png", "PNG")])
def test_annotated_pictures_are_upright_and_carry_no_metadata(
    decoder: DecodeProcess, media_type: str, kind: str
) -> None:
    turned = picture(400, 300).transpose(Image.Transpose.ROTATE_90)
    data = saved(turned, "JPEG", exif=exif(6), comment=b"where I live")
    overlay = Overlay(_detections([[100, 60, 300, 240]], ["car"]))

    drawn = Image.open(io.BytesIO(decoder.annotate(data, overlay, media_type)))

    assert drawn.format == kind
    assert drawn.size == (400, 300)
    assert not drawn.getexif()
    assert "comment" not in drawn.info
    edge = np.asarray(drawn.convert("RGB"))[150, 100].astype(int)
    assert np.abs(edge - label_color("car")).max() < 30


def test_pictures_are_annotated_as_jpeg_or_png_only(decoder: DecodeProcess) -> None:
    with pytest.raises(ValueError, match="image/png"):
        decoder.annotate(saved(picture(), "PNG"), Overlay(Detections.empty()), "image/tiff")
