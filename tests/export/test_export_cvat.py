"""CVAT for video, held against a schema of its documented format."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from export_videos import BITMAP, DOG, FRAME_COUNT, ITEMS, PERSON, ROWS, STREET, exported, stored
from lxml import etree

from vision.domain.mask import RleMask

SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).with_name("cvat_video.xsd")))
ONE_VIDEO = ITEMS[:2]


def documents(data: bytes) -> dict[str, etree._Element]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: etree.fromstring(archive.read(name)) for name in archive.namelist()}


@pytest.fixture
def street() -> etree._Element:
    return documents(exported("cvat"))["street_cam.xml"]


def places(track: etree._Element) -> list[tuple[int, int]]:
    return [(int(shape.get("frame", -1)), int(shape.get("outside", -1))) for shape in track]


def test_every_video_s_document_keeps_to_the_schema() -> None:
    found = documents(exported("cvat"))

    assert sorted(found) == ["street_cam-4.xml", "street_cam.xml", "torn.xml"]
    for document in found.values():
        SCHEMA.assertValid(document)


def test_one_video_is_the_file_that_cvat_looks_for() -> None:
    found = documents(exported("cvat", items=ONE_VIDEO))

    assert list(found) == ["annotations.xml"]
    SCHEMA.assertValid(found["annotations.xml"])


def test_a_track_ends_where_an_analysed_frame_has_it_no_more(street: etree._Element) -> None:
    person, dog = (street.find(f"track[@id='{number}']") for number in (PERSON, DOG))

    assert person is not None
    assert dog is not None
    assert person.get("label") == "person"
    # Seen in 0, 3 and 9 of the analysed 0, 3, 6, 9 and 12: gone in 6 and in 12.
    assert places(person) == [(0, 0), (3, 0), (4, 1), (9, 0), (10, 1)]
    assert places(dog) == [(9, 0), (12, 0), (13, 1)]
    assert [float(dog[1].get(name, 0)) for name in ("xtl", "ytl", "xbr", "ybr")] == [
        30.0,
        5.0,
        50.5,
        15.0,
    ]


def test_nothing_ends_behind_the_last_frame() -> None:
    facts = replace(ITEMS[STREET].facts, frame_count=13)
    items = (ITEMS[0], replace(ITEMS[STREET], facts=facts))

    (document,) = documents(exported("cvat", items=items)).values()

    dog = document.find(f"track[@id='{DOG}']")
    assert dog is not None
    assert places(dog) == [(9, 0), (12, 0)]


def test_what_belongs_to_no_track_is_a_track_of_one_frame_with_its_mask(
    street: etree._Element,
) -> None:
    (car,) = street.findall("track[@label='car']")

    assert int(car.get("id", 0)) > DOG
    assert places(car) == [(3, 0), (4, 1)]
    assert np.array_equal(bitmap_of(car[0]), BITMAP)


def test_a_mask_that_begins_in_its_corner_comes_back() -> None:
    full = np.zeros((30, 40), bool)
    full[2:5, 3:9] = True
    rows = (stored(STREET, 3, "car", mask=RleMask.from_bitmap(full)),)

    (document,) = documents(exported("cvat", rows, ONE_VIDEO)).values()

    (car,) = document.findall("track[@label='car']")
    assert np.array_equal(bitmap_of(car[0]), full)


def bitmap_of(mask: etree._Element) -> np.ndarray:
    """Run lengths outside, inside, … by rows of a rectangle, as CVAT reads them."""
    left, top, width, height = (int(mask.get(n, 0)) for n in ("left", "top", "width", "height"))
    runs = [int(run) for run in mask.get("rle", "").split(",")]
    inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width)
    whole = np.zeros((30, 40), bool)
    whole[top : top + height, left : left + width] = inside
    return whole


def test_the_task_is_described(street: etree._Element) -> None:
    assert street.findtext("meta/task/name") == "street cam.mp4"
    assert street.findtext("meta/task/size") == str(FRAME_COUNT)
    assert street.findtext("meta/task/original_size/width") == "40"
    assert street.xpath("meta/task/labels/label/name/text()") == ["car", "dog", "person"]


def test_names_of_any_kind_are_written_as_text() -> None:
    odd = 'a"<b>&\x00\x1f\ud800\N{SNOWMAN}'
    items = (replace(ITEMS[STREET], filename=odd, counts={odd: 1, "dog": 2, "person": 3}),)
    rows = [replace(row, label=odd) if row.track_id is None else row for row in ROWS[1:]]

    (document,) = documents(exported("cvat", rows, items)).values()

    SCHEMA.assertValid(document)
    bad = "\N{REPLACEMENT CHARACTER}"
    assert document.findtext("meta/task/name") == f'a"<b>&{bad}{bad}{bad}\N{SNOWMAN}'
