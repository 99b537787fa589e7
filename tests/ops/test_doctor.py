"""`vision doctor` on machines where something is missing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vision.cli.checks import libraries, surroundings
from vision.cli.checks.finding import Status
from vision.settings import Settings

Findings = dict[str, dict[str, Any]]
DOCTOR = (sys.executable, "-m", "vision.cli.main", "doctor", "--json")


def doctor(*arguments: str, **environment: str) -> tuple[int, Findings]:
    """Exit code and findings by name."""
    done = subprocess.run(
        [*DOCTOR, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    answer = json.loads(done.stdout)
    assert answer["is_well"] is (done.returncode == 0)
    return done.returncode, {finding["name"]: finding for finding in answer["findings"]}


def package(folder: Path, name: str, source: str) -> None:
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(source)


def test_this_machine_is_well_and_nothing_is_made_by_looking(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"

    code, findings = doctor(VISION_DATA_DIR=str(data_dir))

    assert code == 0
    assert findings["torch"]["detail"].startswith("2.")
    assert {findings[name]["status"] for name in ("Python", "torchvision", "cv2")} == {"OK"}
    assert {findings[name]["status"] for name in ("database", "blobs")} == {"OK"}
    assert not data_dir.exists()


def test_broken_libraries_are_named_one_by_one(tmp_path: Path) -> None:
    package(tmp_path, "torch", "import os\nos.abort()")
    package(tmp_path, "cv2", "raise ImportError('libGL.so.1: cannot open shared object file')")

    code, findings = doctor(PYTHONPATH=str(tmp_path))

    assert code == 1
    assert findings["torch"]["status"] == "MISSING"
    assert findings["torch"]["detail"] == "its import ended the process (-6)"
    assert findings["cv2"]["status"] == "MISSING"


def test_a_missing_system_library_names_its_package(tmp_path: Path) -> None:
    package(tmp_path, "torch", "raise ImportError('unhappy')")
    package(tmp_path, "cv2", "raise ImportError('libGL.so.1: cannot open shared object file')")

    _, findings = doctor(PYTHONPATH=str(tmp_path))

    assert "apt-get install libgl1 libglib2.0-0" in findings["cv2"]["advice"]
    assert findings["torch"]["detail"] == "ImportError: unhappy"


def test_an_api_host_needs_no_models(tmp_path: Path) -> None:
    package(tmp_path, "torch", "raise ImportError('unhappy')")

    code, findings = doctor("--part", "api", PYTHONPATH=str(tmp_path))

    assert code == 0
    assert set(findings) == {"Python", "av", "Redis", "database", "blobs", "disk"}


def test_a_missing_video_library_is_named_on_an_api_host_too(tmp_path: Path) -> None:
    package(tmp_path, "av", "raise ImportError('libavcodec.so.62: cannot open shared object file')")

    code, findings = doctor("--part", "api", PYTHONPATH=str(tmp_path))

    assert code == 1
    assert "libavcodec.so.62" in findings["av"]["detail"]


def test_an_ffmpeg_that_lacks_codecs_is_warned_of() -> None:
    finding = libraries.video({"version": "18", "ffmpeg": "8", "lacking": ["libvpx-vp9"]})

    assert finding.status is Status.WARN
    assert "lacks libvpx-vp9" in finding.detail


def test_what_hangs_or_speaks_garbage_is_not_waited_for_or_believed() -> None:
    script = "print('warning: hello'); print('{\"name\": \"torch\"}')"

    reports = libraries.probed((sys.executable, "-c", script))

    assert reports == {"torch": {"error": "its import ended the process (0)"}}


def test_a_gpu_that_is_asked_for_must_be_there() -> None:
    wanted = libraries.gpu({"gpus": []}, "cuda")
    unwanted = libraries.gpu({"gpus": []}, "cpu")

    assert wanted.status is Status.MISSING
    assert unwanted.status is Status.OK


def test_a_gpu_is_described_by_name_and_memory() -> None:
    gib = 1024**3
    gpu = {"name": "Some GPU", "free_bytes": 3 * gib, "total_bytes": 4 * gib}

    assert libraries.gpu({"gpus": [gpu]}, "auto").detail == "Some GPU, 3.0 of 4.0 GiB free"


def test_a_redis_that_does_not_answer_is_named_without_its_password() -> None:
    finding = surroundings.broker("redis://:hunter2@127.0.0.1:1/0")

    assert finding.status is Status.MISSING
    assert "127.0.0.1" in finding.detail
    assert "hunter2" not in f"{finding}"


def test_a_database_that_does_not_answer_is_missing_without_its_password() -> None:
    url = "postgresql://vision:hunter2@127.0.0.1:1/vision"

    finding = surroundings.database(Settings(database_url=url))  # type: ignore[arg-type]

    assert finding.status is Status.MISSING
    assert "hunter2" not in f"{finding}"


def test_an_old_database_asks_for_migration(tmp_path: Path) -> None:
    finding = surroundings.database(Settings(data_dir=tmp_path))

    assert finding.status is Status.WARN
    assert finding.advice == "run `vision migrate`"


@pytest.mark.parametrize("name", ["deep/er/folder", "."])
def test_free_space_is_measured_where_the_folder_will_be(tmp_path: Path, name: str) -> None:
    finding = surroundings.disk(Settings(data_dir=tmp_path / name))

    assert str(tmp_path) in finding.detail
