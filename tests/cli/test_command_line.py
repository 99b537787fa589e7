"""What every command does the same way: help, exit codes, one sentence per error."""

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from console import run

from vision.cli.lazy import load
from vision.cli.main import COMMANDS
from vision.cli.models import ModelCommands

NOBODY_LISTENS = "http://127.0.0.1:9"
TORCH_FREE = (
    "vision.cli.main",
    "vision.cli.jobs",
    "vision.cli.detections",
    "vision.cli.classifications",
    "vision.cli.embeddings",
    "vision.cli.export",
    "vision.cli.tracks",
    "vision.cli.retrack",
    "vision.cli.analyze",
    "vision.cli.doctor",
    "vision.cli.models",
    "vision.cli.batch.command",
)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_can_be_loaded(name: str) -> None:
    loaded = load(COMMANDS[name].target)

    if not isinstance(loaded, typer.Typer):
        documented = inspect.getdoc(loaded) or ""
        assert documented.splitlines()[0] == COMMANDS[name].help


def test_the_help_of_models_add_is_its_own() -> None:
    command = ModelCommands.table["add"]

    assert (inspect.getdoc(load(command.target)) or "").splitlines()[0] == command.help


def test_help_lists_every_command() -> None:
    ended = run("--help")

    assert ended.code == 0
    assert [name for name in COMMANDS if f" {name} " not in ended.out] == []


def test_the_client_side_imports_no_torch() -> None:
    lines = [f"import {module}" for module in TORCH_FREE]
    script = "\n".join(["import sys", *lines, "print('torch' in sys.modules)"])

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "False"


def test_version_is_said() -> None:
    assert run("--version").out.startswith("vision-service 0.")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("no-such-command",), id="unknown command"),
        pytest.param(("jobs", "shwo"), id="unknown subcommand"),
        pytest.param(("jobs", "list", "--no-such-option"), id="unknown option"),
        pytest.param(("jobs", "list", "--state", "sleepy"), id="wrong value"),
        pytest.param(("export",), id="missing argument"),
        pytest.param(("batch", "/nowhere", "-p", "demo", "-o", "/tmp/o"), id="no such folder"),
        pytest.param(("analyze", "/nowhere.jpg", "-p", "demo"), id="no such file"),
        pytest.param(("models", "show", "demo_san"), id="unknown model"),
    ],
)
def test_a_wrong_usage_ends_with_2(arguments: tuple[str, ...]) -> None:
    ended = run(*arguments)

    assert ended.code == 2
    assert ended.out == ""
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("jobs", "list"),
        ("jobs", "show", "0"),
        ("jobs", "wait", "0"),
        ("jobs", "track", "0", "--algorithm", "sort"),
        ("detections", "--json"),
        ("tracks", "0"),
        ("export", "0", "--format", "csv"),
    ],
    ids=" ".join,
)
def test_a_server_that_is_not_there_is_one_clear_sentence(arguments: tuple[str, ...]) -> None:
    ended = run(*arguments, VISION_SERVER=NOBODY_LISTENS)

    assert ended.code == 1
    assert ended.out == ""
    assert ended.err.splitlines() == [
        f"error: no server answers at {NOBODY_LISTENS}; start one with `vision up`"
    ]


def test_an_address_that_is_no_url_is_a_wrong_usage() -> None:
    ended = run("jobs", "list", "--server", "localhost")

    assert ended.code == 2
    assert len(ended.err.splitlines()) == 1


def test_a_similar_model_is_suggested() -> None:
    assert "demo_sam" in run("models", "show", "demo_san").err


def test_models_are_listed_as_json_for_programs() -> None:
    listed = json.loads(run("models", "list", "--json").out)["items"]

    by_name = {model["name"]: model for model in listed}
    assert by_name["demo_maskrcnn"]["weights"]["is_present"]
    assert by_name["sam_vit_b"]["license"] == "Apache-2.0"


def test_a_model_list_in_a_pipe_has_one_line_per_model() -> None:
    listed = json.loads(run("models", "list", "--json").out)["items"]

    assert len(run("models", "list").out.splitlines()) == len(listed) + 1


def test_a_model_card_says_what_it_is_for_and_its_limits() -> None:
    card = json.loads(run("models", "show", "demo_maskrcnn", "--json").out)

    assert "person" in card["labels"]
    assert card["intended_use"]
    assert card["limits"]


def test_a_file_that_is_not_the_models_is_not_imported(tmp_path: Path) -> None:
    wrong = tmp_path / "weights.pth"
    wrong.write_bytes(b"not these")

    ended = run("models", "import", "sam_vit_b", wrong, VISION_MODELS_DIR=str(tmp_path / "m"))

    assert ended.code == 1
    assert "SHA-256" in ended.err
    assert len(ended.err.splitlines()) == 1


def test_a_wrong_setting_is_named() -> None:
    ended = run("models", "list", VISION_PORT="many")

    assert ended.code == 2
    assert "VISION_PORT" in ended.err
