"""The small pieces of `vision up`: its folder, its socket, its output, its settings."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from vision.cli.configuration import read_settings
from vision.cli.service.data_folder import held
from vision.cli.service.listening import address_of, is_ready, listen, url_of
from vision.cli.service.part_output import MAX_FILE_BYTES, PartOutput, readable
from vision.errors import Conflict, InvalidRequest, OperatorError


def test_a_data_folder_serves_one_at_a_time(tmp_path: Path) -> None:
    refusal = pytest.raises(Conflict, match=r"already runs on .* \(process \d+\)")
    with held(tmp_path), refusal, held(tmp_path):
        pass
    with held(tmp_path) as run_dir:
        assert run_dir.stat().st_mode & 0o777 == 0o700


def test_the_lock_goes_with_a_killed_process(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys, time\n"
        "from vision.cli.service.data_folder import held\n"
        "with held(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(600)"
    )
    argv = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        with pytest.raises(Conflict, match=f"process {process.pid}"), held(tmp_path):
            pass
        process.kill()
        process.wait()
        with held(tmp_path):
            pass


def test_port_0_is_any_free_port() -> None:
    with listen("127.0.0.1", 0) as one, listen("127.0.0.1", 0) as other:
        assert address_of(one) != address_of(other)
        assert url_of(address_of(one)) == f"http://127.0.0.1:{one.getsockname()[1]}"


def test_a_taken_port_is_said_in_a_sentence() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OperatorError, match=f"can't listen on 127.0.0.1 port {port}"):
            listen("127.0.0.1", port)


def test_an_address_for_everyone_is_asked_on_loopback() -> None:
    with listen("0.0.0.0", 0) as listener:
        assert address_of(listener)[0] == "127.0.0.1"


@pytest.fixture(params=[HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE], ids=lambda s: str(s.value))
def answering(request: pytest.FixtureRequest) -> Iterator[tuple[HTTPServer, bool]]:
    """A server with that answer to everything, and whether it means ready."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(request.param)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server, request.param == HTTPStatus.OK
        server.shutdown()
        thread.join()


def test_ready_is_what_answers_200(answering: tuple[HTTPServer, bool]) -> None:
    server, means_ready = answering

    assert is_ready(address_of(server.socket)) is means_ready


def test_nobody_there_is_not_ready() -> None:
    with listen("127.0.0.1", 0) as listener:
        address = address_of(listener)

    assert not is_ready(address)


def test_lines_go_to_files_as_they_are_and_to_the_console_readable(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    line = json.dumps({"event": "unit committed", "level": "WARNING", "pid": 7, "images": 3})
    output = PartOutput(tmp_path, is_quiet=False)
    output.show("worker", line)
    output.close()

    assert (tmp_path / "worker.log").read_text() == line + "\n"
    assert capfd.readouterr().err == "worker | WARNING unit committed images=3\n"


def test_log_files_stay_small(tmp_path: Path) -> None:
    output = PartOutput(tmp_path, is_quiet=True)
    for _ in range(12):
        output.show("api", "x" * (MAX_FILE_BYTES // 4))
    output.close()

    assert max(file.stat().st_size for file in tmp_path.iterdir()) <= MAX_FILE_BYTES
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(
    "line", ["plain words", "{broken", "[1, 2]", '{"no": "event of ours"}', "null"]
)
def test_lines_that_are_not_ours_stay_as_they_are(line: str) -> None:
    assert readable(line) == line


def test_a_wrong_setting_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISION_PORT", "http")

    with pytest.raises(InvalidRequest) as raised:
        read_settings()

    assert [error.field for error in raised.value.errors] == ["VISION_PORT"]


def test_options_go_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISION_PORT", "1234")

    assert (read_settings(port=None).port, read_settings(port=0).port) == (1234, 0)
