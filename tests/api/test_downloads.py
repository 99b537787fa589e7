"""Bytes go out as they came in, in parts if wanted, never to be run; pictures go out drawn."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest
from pictures import picture, turned_picture
from PIL import Image
from serving import Served, serving, settings_in
from work import broken, two_things, work

BODY = picture(300, 200, kind="PNG")


@dataclass(frozen=True)
class Stored:
    """One asset and its bytes' address."""

    client: httpx.Client
    sha256: str
    content: str


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    folder: Path = tmp_path_factory.mktemp("downloads")
    with serving(settings_in(folder)) as served:
        header = {"X-Filename": "a; name=ü.png".encode()}
        asset = served.client.post("/v1/assets", content=BODY, headers=header).json()  # type: ignore[arg-type]
        yield Stored(served.client, asset["sha256"], f"/v1/assets/{asset['id']}/content")


def test_content_is_an_attachment_that_no_browser_runs(stored: Stored) -> None:
    answer = stored.client.get(stored.content)

    assert answer.content == BODY
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-length"] == str(len(BODY))
    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-0", BODY[:1]),
        ("bytes=10-19", BODY[10:20]),
        ("bytes=100-", BODY[100:]),
        ("bytes=-7", BODY[-7:]),
        (f"bytes=5-{10**12}", BODY[5:]),
    ],
)
def test_a_range_is_just_that_range(stored: Stored, header: str, part: bytes) -> None:
    answer = stored.client.get(stored.content, headers={"Range": header})

    assert (answer.status_code, answer.content) == (206, part)
    assert answer.headers["content-range"].endswith(f"/{len(BODY)}")
    assert answer.headers["content-length"] == str(len(part))


def test_a_range_past_the_end_is_refused(stored: Stored) -> None:
    answer = stored.client.get(stored.content, headers={"Range": f"bytes={len(BODY)}-"})

    assert (answer.status_code, answer.json()["code"]) == (416, "range_not_satisfiable")
    assert answer.headers["content-range"] == f"bytes */{len(BODY)}"


def test_a_range_of_another_version_gives_the_whole_file(stored: Stored) -> None:
    headers = {"Range": "bytes=0-0", "If-Range": '"another"'}
    other = stored.client.get(stored.content, headers=headers)
    same = stored.client.get(stored.content, headers=headers | {"If-Range": f'"{stored.sha256}"'})

    assert (other.status_code, same.status_code) == (200, 206)


def test_head_says_the_size_without_the_bytes(stored: Stored) -> None:
    answer = stored.client.head(stored.content)

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(BODY))


def test_a_client_that_has_it_gets_nothing(stored: Stored) -> None:
    answer = stored.client.get(stored.content, headers={"If-None-Match": f'"{stored.sha256}"'})

    assert (answer.status_code, answer.content) == (304, b"")


def drawn_job(served: Served, body: bytes) -> str:
    """Address of the annotated picture of a finished job over `body`."""
    form = {"files": ("a", body)}
    job = served.client.post("/v1/jobs", files=form, data={"pipeline": "demo"}).json()
    work(served.engine, two_things)
    (item,) = served.client.get(f"/v1/jobs/{job['id']}/items").json()["items"]
    return f"/v1/jobs/{job['id']}/items/{item['asset_id']}/annotated"


def opened(answer: httpx.Response) -> Image.Image:
    assert answer.status_code == 200, answer.text
    return Image.open(BytesIO(answer.content))


def test_the_annotated_picture_differs_where_things_were_found(served: Served) -> None:
    body = picture(kind="PNG")
    address = drawn_job(served, body)

    drawn = opened(served.client.get(address, params={"format": "png"}))

    assert (drawn.format, drawn.size) == ("PNG", (64, 48))
    before = np.asarray(Image.open(BytesIO(body)).convert("RGB")).astype(int)
    change = np.abs(np.asarray(drawn.convert("RGB")).astype(int) - before).sum(axis=2)
    assert change[12:28, 22:58].mean() > 5


@pytest.mark.parametrize(
    ("query", "accept", "kind"),
    [
        ({}, "*/*", "JPEG"),
        ({}, "image/png", "PNG"),
        ({"format": "jpeg"}, "image/png", "JPEG"),
        ({"format": "png", "masks": "false", "labels": "false"}, "*/*", "PNG"),
    ],
)
def test_the_client_chooses_the_format(
    served: Served, query: dict[str, str], accept: str, kind: str
) -> None:
    address = drawn_job(served, picture())

    answer = served.client.get(address, params=query, headers={"Accept": accept})

    assert opened(answer).format == kind
    assert answer.headers["content-type"] == f"image/{kind.lower()}"


def test_the_annotated_picture_is_upright(served: Served) -> None:
    address = drawn_job(served, turned_picture(48, 64))

    assert opened(served.client.get(address)).size == (64, 48)


def test_an_annotated_picture_that_did_not_change_is_not_sent_again(served: Served) -> None:
    address = drawn_job(served, picture())
    first = served.client.get(address)

    again = served.client.get(address, headers={"If-None-Match": first.headers["etag"]})
    other = served.client.get(f"{address}?boxes=false")

    assert again.status_code == 304
    assert other.headers["etag"] != first.headers["etag"]


def test_without_results_there_is_no_annotated_picture(served: Served) -> None:
    form = {"files": ("a", picture())}
    job = served.client.post("/v1/jobs", files=form, data={"pipeline": "demo"}).json()
    (item,) = served.client.get(f"/v1/jobs/{job['id']}/items").json()["items"]
    address = f"/v1/jobs/{job['id']}/items/{item['asset_id']}/annotated"

    before = served.client.get(address)
    work(served.engine, broken)
    after = served.client.get(address)

    assert (before.status_code, after.status_code) == (409, 409)
    assert "ends too early" in after.json()["detail"]
    assert served.client.get(address, headers={"Accept": "text/html"}).status_code == 406
