"""Every error of every route has the one shape, and says nothing about our insides."""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from serving import Served, eventually, serving, settings_in

from vision.storage.jobs import JobStore

MEMBERS = {"type", "title", "status", "detail", "code", "retryable", "request_id"}
SECRET = "the password is swordfish"


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for tests that store nothing."""
    folder: Path = tmp_path_factory.mktemp("errors")
    with serving(settings_in(folder)) as served:
        yield served


def require_problem(answer: httpx.Response) -> Any:
    """The document of an error answer that is as it should be."""
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(problem) - {"errors"} == MEMBERS
    assert problem["status"] == answer.status_code
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem["type"].endswith(problem["code"])
    assert re.fullmatch(r"[a-z_]+", problem["code"])
    assert problem["detail"]
    for error in problem.get("errors", ()):
        assert set(error) == {"field", "detail"}
    return problem


def operations(served: Served) -> list[tuple[str, str]]:
    """Method and path of everything in the OpenAPI document, with ids of nothing."""
    paths = served.client.get("/openapi.json").json()["paths"]
    return [
        (method.upper(), with_ids(path)) for path, methods in paths.items() for method in methods
    ]


def with_ids(path: str) -> str:
    path = path.replace("{track_id}", "1").replace("{name}", "nonesuch")
    return re.sub(r"\{\w+_id\}", str(uuid4()), path)


def test_every_route_answers_a_wrong_question_with_a_problem(quiet: Served) -> None:
    checked = 0
    for method, path in operations(quiet):
        answer = quiet.client.request(method, path, params={"nonsense": "1", "limit": "x"})
        if method != "HEAD" and not answer.is_success:
            assert answer.status_code in (404, 422), (method, path)
            require_problem(answer)
            checked += 1

    assert checked >= 18


def test_every_route_answers_an_unknown_id_with_404(quiet: Served) -> None:
    named = [(method, path) for method, path in operations(quiet) if re.search("nonesuch|-", path)]

    for method, path in named:
        query = {"format": "coco"} if path.endswith("export") else {}
        answer = quiet.client.request(method, path, params=query)
        assert answer.status_code == 404, (method, path)
        if method != "HEAD":
            assert require_problem(answer)["code"] in ("not_found", "unknown_model")
    assert len(named) >= 14


def test_every_route_answers_a_wrong_method_with_405(quiet: Served) -> None:
    for _, path in operations(quiet):
        answer = quiet.client.request("PATCH", path)

        assert answer.status_code == 405, path
        assert answer.headers["allow"]
        assert require_problem(answer)["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v2/jobs",
        "/v1/jobs/",
        "/v1/jobs/1",
        "/v1/jobs/not-a-uuid/items",
        "/v1/assets/%00",
        "/docs",
        "/v1/models/../assets/x",
    ],
)
def test_a_path_that_is_not_there_is_a_problem_too(quiet: Served, path: str) -> None:
    answer = quiet.client.get(path)

    assert answer.status_code == 404
    require_problem(answer)


@pytest.mark.parametrize("given", ["my-request.1", None])
def test_the_request_id_is_in_every_answer(quiet: Served, given: str | None) -> None:
    headers = {"X-Request-Id": given} if given else {}

    good = quiet.client.get("/livez", headers=headers)
    bad = quiet.client.get("/v1/nothing", headers=headers)

    assert good.headers["x-request-id"]
    assert require_problem(bad)["request_id"] == (given or bad.headers["x-request-id"])
    assert given is None or good.headers["x-request-id"] == given


def test_what_we_broke_ourselves_is_logged_once_and_not_told(
    quiet: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(JobStore, "page", broken)
    with caplog.at_level(logging.INFO):
        answer = quiet.client.get("/v1/jobs")

    problem = require_problem(answer)
    assert (answer.status_code, problem["code"]) == (500, "internal_error")
    assert SECRET not in answer.text
    failures = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(failures) == 1
    assert failures[0].request_id == problem["request_id"]  # type: ignore[attr-defined]
    assert SECRET in str(failures[0].exc_info)


def test_every_request_is_one_log_line_with_fields(
    quiet: Served, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="vision.api"):
        quiet.client.get("/v1/jobs/" + str(uuid4()))

        eventually(lambda: "request" in caplog.messages)

    (line,) = [record for record in caplog.records if record.message == "request"]
    assert line.route == "/v1/jobs/{job_id}"  # type: ignore[attr-defined]
    assert line.status == 404  # type: ignore[attr-defined]


def test_an_unmigrated_database_is_a_503_that_says_nothing_of_tables(tmp_path: Path) -> None:
    with serving(settings_in(tmp_path), is_migrated=False) as served:
        answer = served.client.get("/v1/jobs")
        ready = served.client.get("/readyz")
        alive = served.client.get("/livez")

    problem = require_problem(answer)
    assert (answer.status_code, problem["retryable"]) == (503, True)
    assert "table" not in answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert (ready.status_code, require_problem(ready)["code"]) == (503, "not_ready")
    assert "vision migrate" in ready.json()["detail"]
    assert alive.status_code == 200


def test_errors_are_never_html_or_plain_text(quiet: Served) -> None:
    answer = quiet.client.get("/v1/jobs/x", headers={"Accept": "text/html"})

    require_problem(answer)
    assert json.loads(answer.content)
