"""`docs/models.md`, the catalogue and `vision models list` say the same."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from vision.models.catalogue import Catalogue, listed_specs
from vision.models.models_page import page

PAGE = Path(__file__).parents[2] / "docs" / "models.md"


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, str]]:
    """Of the page's tables, by the model's name."""
    text = PAGE.read_text("utf-8")
    (head,) = {_cells(line) for line in re.findall(r"^\| model .*$", text, re.MULTILINE)}
    found = [_cells(line) for line in re.findall(r"^\| `.*$", text, re.MULTILINE)]
    return {row[0].strip("`"): dict(zip(head, row, strict=True)) for row in found}


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.split("|")[1:-1])


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    """What `vision models list` prints for programs."""
    folder = tmp_path_factory.mktemp("models")
    ended = subprocess.run(
        [sys.executable, "-m", "vision.cli.main", "models", "list", "--json"],
        env={**os.environ, "VISION_MODELS_DIR": str(folder)},
        capture_output=True,
        check=True,
    )
    return list(json.loads(ended.stdout)["items"])


def test_page_is_what_the_catalogue_says_now() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `make docs` and commit docs/models.md"


def test_page_and_list_have_the_same_models_in_the_same_order(
    rows: dict[str, dict[str, str]], listed: list[dict[str, object]]
) -> None:
    names = [model["name"] for model in listed]

    assert list(rows) == names == [spec.name for spec in Catalogue.load().specs]


def test_page_and_list_say_the_same_of_each_model(
    rows: dict[str, dict[str, str]], listed: list[dict[str, object]]
) -> None:
    for model in listed:
        row, tasks = rows[str(model["name"])], model["tasks"]
        assert isinstance(tasks, list)
        assert row["tasks"] == ", ".join(tasks)
        assert row["license"] == model["license"]


def test_everything_that_terms_forbid_is_on_the_page() -> None:
    text = PAGE.read_text("utf-8")
    restricted = [spec for spec in listed_specs().values() if spec.license.is_restricted]

    assert restricted
    for spec in restricted:
        assert all(f"- {sentence}" in text for sentence in spec.license.forbids), spec.name


def test_state_of_a_model_that_forbids_uses_is_in_the_list(
    listed: list[dict[str, object]],
) -> None:
    for model in listed:
        is_restricted = listed_specs()[str(model["name"])].license.is_restricted
        assert ("not accepted" in str(model["state"])) == is_restricted
