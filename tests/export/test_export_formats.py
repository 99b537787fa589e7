"""Every export format, read back by the reader that people use for it."""

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import UUID

import numpy as np
import pyarrow.parquet as pq
import pytest
from pycocotools.coco import COCO

from vision.domain.image import ImageSize
from vision.domain.job import Item, ItemFailure, Job
from vision.domain.mask import RleMask
from vision.domain.media import MediaFacts, MediaKind
from vision.domain.provenance import Provenance, StageProvenance
from vision.domain.states import ItemState, JobState
from vision.domain.stored import StoredDetection
from vision.errors import InvalidRequest
from vision.pipelines.export.csv import harmless
from vision.pipelines.export.findings import JobFindings
from vision.pipelines.export.formats import FORMATS, export_format

JOB_ID = UUID(int=1)
SIZE = ImageSize(width=40, height=30)
STAGE = StageProvenance("detect", "demo_maskrcnn", "ab" * 32, {"min_score": 0.5})
PROVENANCE = Provenance((STAGE,), code_version="0.1.0", device="cpu", precision="float32")
BITMAP = np.zeros((30, 40), bool)
BITMAP[5:15, 10:30] = True
MASK = RleMask.from_bitmap(BITMAP)
POINTS = np.array([[12.5, 6.25, 0.9], [28.0, 14.0, 0.1]], np.float32)
JOB = Job(
    id=JOB_ID,
    tenant="default",
    state=JobState.PARTIAL,
    pipeline={"detect": {"model": "demo_maskrcnn"}},
    pipeline_sha256="cd" * 32,
    priority=0,
    tags=(),
    items_total=3,
    items_done=2,
    items_failed=1,
    created_at=1.0,
    started_at=2.0,
    finished_at=3.0,
    error=None,
    provenances=(PROVENANCE.to_json() | {"digest": PROVENANCE.digest},),
)


def item(index: int, filename: str, error: ItemFailure | None = None) -> Item:
    return Item(
        job_id=JOB_ID,
        index=index,
        asset_id=UUID(int=100 + index),
        filename=filename,
        state=ItemState.DONE if error is None else ItemState.FAILED,
        error=error,
        detections=0,
        counts={},
        facts=MediaFacts(MediaKind.IMAGE, "image/jpeg", SIZE),
        warnings=(),
        provenance_digest=PROVENANCE.digest if error is None else None,
    )


def stored(number: int, index: int, label: str, class_id: int, **rest: object) -> StoredDetection:
    return StoredDetection(
        id=number,
        job_id=JOB_ID,
        item=index,
        asset_id=UUID(int=100 + index),
        size=SIZE,
        label=label,
        class_id=class_id,
        box=(10.0, 5.0, 30.5, 15.0),
        provenance_digest=PROVENANCE.digest,
        **rest,  # type: ignore[arg-type]
    )


ITEMS = (
    item(0, "=cmd|calc.jpg"),
    item(1, "torn.jpg", ItemFailure("image_truncated", "the file ends too early")),
    item(2, "empty yard.jpg"),
    item(3, "yard ö.jpg"),
)
ROWS = (
    stored(1, 0, "car", 3, score=0.9, mask=MASK),
    stored(2, 0, "+person", 1, score=0.5, keypoints=POINTS),
    stored(3, 3, "object", 0, mask=MASK, predicted_iou=0.8, stability_score=0.95),
)


def findings(rows: Iterable[StoredDetection] = ROWS) -> JobFindings:
    return JobFindings(JOB, ITEMS, iter(rows), keypoint_names=("nose", "tail"))


class OnlyWritable(io.RawIOBase):
    """A file that can be written and nothing more, as an HTTP body can."""

    def __init__(self) -> None:
        self.written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        self.written += bytes(data)  # type: ignore[call-overload]
        return len(bytes(data))  # type: ignore[call-overload]


def exported(name: str, rows: Iterable[StoredDetection] = ROWS) -> bytes:
    file = OnlyWritable()
    export_format(name).write(findings(rows), file)  # type: ignore[arg-type]
    assert not file.closed
    return bytes(file.written)


def coco_of(data: bytes, folder: Path) -> COCO:
    path = folder / "instances.json"
    path.write_bytes(data)
    return COCO(str(path))


def test_pycocotools_reads_boxes_masks_and_keypoints(tmp_path: Path) -> None:
    coco = coco_of(exported("coco"), tmp_path)

    (car,) = coco.loadAnns(coco.getAnnIds(catIds=coco.getCatIds(catNms=["car"])))
    (person,) = coco.loadAnns(coco.getAnnIds(catIds=coco.getCatIds(catNms=["+person"])))
    assert car["bbox"] == [10.0, 5.0, 20.5, 10.0]
    assert car["area"] == 200
    assert car["score"] == 0.9
    assert np.array_equal(coco.annToMask(car), BITMAP)
    assert person["keypoints"] == [12.5, 6.25, 2, 28.0, 14.0, 2]
    assert person["num_keypoints"] == 2
    assert coco.cats[1]["keypoints"] == ["nose", "tail"]


def test_a_mask_without_detector_has_no_score_in_coco(tmp_path: Path) -> None:
    coco = coco_of(exported("coco"), tmp_path)

    (mask,) = coco.loadAnns(coco.getAnnIds(imgIds=[4]))

    assert "score" not in mask
    assert mask["predicted_iou"] == 0.8
    assert mask["stability_score"] == 0.95


def test_coco_lists_an_empty_image_and_names_a_failed_one_apart(tmp_path: Path) -> None:
    coco = coco_of(exported("coco"), tmp_path)

    assert [image["file_name"] for image in coco.dataset["images"]] == [
        "=cmd|calc.jpg",
        "empty yard.jpg",
        "yard ö.jpg",
    ]
    assert coco.dataset["info"]["failed"][0]["code"] == "image_truncated"


def test_coco_says_which_weights_made_the_results(tmp_path: Path) -> None:
    info = coco_of(exported("coco"), tmp_path).dataset["info"]

    assert info["provenances"][0]["stages"][0]["weights_sha256"] == "ab" * 32


def test_two_labels_of_one_class_number_stay_apart_in_coco(tmp_path: Path) -> None:
    rows = (stored(1, 0, "car", 3, score=0.9), stored(2, 0, "van", 3, score=0.8))

    coco = coco_of(exported("coco", rows), tmp_path)

    assert {category["name"] for category in coco.loadCats(coco.getCatIds())} == {"car", "van"}
    assert len({annotation["category_id"] for annotation in coco.anns.values()}) == 2


def test_a_json_line_per_image_has_detections_provenance_or_error() -> None:
    lines = [json.loads(line) for line in exported("jsonl").splitlines()]

    assert [line["filename"] for line in lines] == [one.filename for one in ITEMS]
    assert [len(line["detections"]) for line in lines] == [2, 0, 0, 1]
    assert lines[0]["detections"][0]["mask"] == MASK.to_json()
    assert lines[0]["detections"][1]["keypoints"] == [[12.5, 6.25, 0.9], [28.0, 14.0, 0.1]]
    assert lines[0]["provenance"]["stages"][0]["model"] == "demo_maskrcnn"
    assert lines[1]["error"]["code"] == "image_truncated"
    assert lines[1]["provenance"] is None


def test_detections_in_another_order_than_the_items_are_refused() -> None:
    with pytest.raises(ValueError, match="not in the order"):
        exported("jsonl", reversed(ROWS))


def test_csv_reads_back_with_numbers_and_masks() -> None:
    rows = list(csv.DictReader(io.StringIO(exported("csv").decode("utf-8"), newline="")))

    assert len(rows) == 3
    assert [float(rows[0][name]) for name in ("x1", "y1", "x2", "y2")] == [10, 5, 30.5, 15]
    assert float(rows[0]["score"]) == 0.9
    assert json.loads(rows[0]["mask"]) == MASK.to_json()
    assert rows[2]["score"] == ""
    assert rows[2]["filename"] == "yard ö.jpg"


def test_no_csv_cell_runs_as_a_formula() -> None:
    rows = list(csv.DictReader(io.StringIO(exported("csv").decode("utf-8"), newline="")))

    assert rows[0]["filename"] == "'=cmd|calc.jpg"
    assert rows[1]["label"] == "'+person"
    assert not [cell for row in rows for cell in row.values() if cell.startswith(tuple("=+-@"))]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\tx", "\rx", "\nx"])
def test_a_leading_formula_sign_is_disarmed(text: str) -> None:
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "car", "a=b", "x-ray"])
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


def test_pyarrow_reads_rows_types_and_provenance() -> None:
    table = pq.read_table(io.BytesIO(exported("parquet")))
    about = json.loads(table.schema.metadata[b"vision"])
    rows = table.to_pylist()

    assert table.num_rows == 3
    assert str(table.schema.field("score").type) == "float"
    assert rows[0]["label"] == "car"
    assert rows[0]["mask_counts"] == MASK.counts
    assert rows[0]["mask_area"] == 200
    assert rows[1]["keypoints"][0]["x"] == 12.5
    assert rows[2]["score"] is None
    assert about["provenances"][0]["digest"] == PROVENANCE.digest
    assert [one["error_code"] for one in about["items"]] == [None, "image_truncated", None, None]


@pytest.mark.parametrize("name", sorted(FORMATS.keys() - {"mot", "cvat", "embeddings"}))
def test_a_job_without_any_detection_gives_a_valid_file(name: str, tmp_path: Path) -> None:
    data = exported(name, ())

    if name == "coco":
        assert coco_of(data, tmp_path).dataset["annotations"] == []
    elif name == "parquet":
        assert pq.read_table(io.BytesIO(data)).num_rows == 0
    elif name in ("csv", "classes"):
        assert len(data.splitlines()) == 1
    elif name == "yolo":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert not any(archive.read(one) for one in archive.namelist() if "labels" in one)
    else:
        assert len(data.splitlines()) == len(ITEMS)


@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_detections_are_read_one_by_one_as_they_are_written(name: str) -> None:
    written_before_the_end = []
    file = OnlyWritable()

    def rows() -> Iterator[StoredDetection]:
        for number in range(1, 50_001):
            yield stored(number, 0, "car", 3, score=0.5)
        written_before_the_end.append(len(file.written))

    export_format(name).write(findings(rows()), file)  # type: ignore[arg-type]

    assert written_before_the_end[0] > len(file.written) / 5


def test_an_unknown_format_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequest, match="no format 'voc'") as refusal:
        export_format("voc")

    assert refusal.value.errors[0].field == "format"
