"""Pipelines by name, and what can't run with the catalogue's models."""

import pytest

from vision.errors import InvalidPipeline
from vision.models.catalogue import Catalogue
from vision.pipelines.document import parse_pipeline
from vision.pipelines.named import NAMED, resolve
from vision.pipelines.plan import check, models_of

CATALOGUE = Catalogue.load()


def test_the_promised_names_are_there() -> None:
    promised = ["demo", "objects", "masks", "objects-sam", "everything", "people", "traffic"]

    assert list(NAMED) == promised
    assert all(pipeline.description.endswith(".") for pipeline in NAMED.values())


@pytest.mark.parametrize("name", NAMED)
def test_every_named_pipeline_can_run(name: str) -> None:
    check(NAMED[name].document, CATALOGUE)


def test_a_name_and_its_document_are_the_same_pipeline() -> None:
    document = NAMED["people"].document

    assert resolve("people") is document
    assert resolve(document) is document
    assert resolve(document.normal_form).sha256 == document.sha256


def test_unknown_name_is_told_what_there_is() -> None:
    with pytest.raises(InvalidPipeline, match="no pipeline is named 'trafic'; there are traffic"):
        resolve("trafic")


@pytest.mark.parametrize("document", [None, 3, ["demo"]])
def test_what_is_neither_name_nor_object_is_refused(document: object) -> None:
    with pytest.raises(InvalidPipeline):
        resolve(document)


def test_models_are_named_once_in_order_of_use() -> None:
    assert models_of(NAMED["objects-sam"].document) == ("fasterrcnn_resnet50_fpn_v2", "sam_vit_b")


@pytest.mark.parametrize(
    ("document", "field", "detail"),
    [
        ({"detect": {"model": "demo_maskrnn"}}, "detect.model", "did you mean demo_maskrcnn"),
        ({"detect": {"model": "demo_sam"}}, "detect.model", "demo_sam can't do detect"),
        (
            {"detect": {"model": "demo_maskrcnn", "labels": ["dog", "cat", "__background__"]}},
            "detect.labels",
            "doesn't know '__background__', 'cat'",
        ),
        (
            {"segment": {"model": "demo_maskrcnn", "prompt": "everything"}},
            "segment.model",
            "can't do everything; these can: demo_sam, ",
        ),
        (
            {"segment": {"model": "sam3", "prompt": "everything", "mode": "fast"}},
            "segment.mode",
            "sam3 can't do everything_fast; these can: demo_sam, sam_vit_b",
        ),
        (
            {"follow": {"model": "demo_sam", "text": ["dog"]}},
            "follow.model",
            "can't do follow_concepts; these can: sam3",
        ),
        (
            {"detect": {"model": "demo_maskrcnn"}, "follow": {"model": "demo_sam"}},
            "follow.model",
            "can't do follow; these can: ",
        ),
        (
            {"classify": {"model": "resnet50", "clip_seconds": 2}},
            "classify.clip_seconds",
            "resnet50 looks at single pictures",
        ),
        (
            {"segment": {"model": "nothing", "prompt": {"points": [[1, 2, 1]]}}},
            "segment.model",
            "no model is named 'nothing'",
        ),
    ],
    ids=[
        "unknown",
        "no detector",
        "labels",
        "no generator",
        "no fast mode",
        "no follower of words",
        "no follower",
        "no clips",
        "unknown segmenter",
    ],
)
def test_wrong_fields_are_named(document: dict[str, object], field: str, detail: str) -> None:
    with pytest.raises(InvalidPipeline) as refusal:
        check(parse_pipeline(document), CATALOGUE)

    (error,) = refusal.value.errors
    assert error.field == field
    assert detail in error.detail


def test_all_wrong_fields_are_named_at_once() -> None:
    document = {"detect": {"model": "one"}, "segment": {"model": "two"}}

    with pytest.raises(InvalidPipeline) as refusal:
        check(parse_pipeline(document), CATALOGUE)

    assert [error.field for error in refusal.value.errors] == ["detect.model", "segment.model"]
