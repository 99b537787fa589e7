"""Files come in once, whole, under their content's type; nothing else stays behind."""

import hashlib
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from pictures import picture, turned_picture
from serving import Served, eventually

LIMIT = 3_000_000
"""Of `served`."""
JPEG = picture()
PNG = picture(kind="PNG")


def test_a_raw_body_becomes_an_asset(client: httpx.Client) -> None:
    answer = client.post("/v1/assets", content=JPEG, headers={"X-Filename": "yard.jpg"})

    assert answer.status_code == 201
    asset = answer.json()
    assert answer.headers["location"] == f"/v1/assets/{asset['id']}"
    assert asset["sha256"] == hashlib.sha256(JPEG).hexdigest()
    assert (asset["kind"], asset["media_type"]) == ("image", "image/jpeg")
    assert (asset["width"], asset["height"], asset["size_bytes"]) == (64, 48, len(JPEG))
    assert asset["filename"] == "yard.jpg"
    assert asset["tags"] == []
    assert asset["duration_seconds"] is None
    assert asset["created_at"].endswith("Z")
    assert client.get(answer.headers["location"]).json() == asset


def test_a_form_file_becomes_an_asset(client: httpx.Client) -> None:
    form = {"file": ("yard.png", picture(kind="PNG"), "text/plain")}

    asset = client.post("/v1/assets", files=form, data={"tags": ["a", "b"]}).json()

    assert asset["media_type"] == "image/png"
    assert asset["filename"] == "yard.png"
    assert asset["tags"] == ["a", "b"]


def test_the_same_bytes_are_the_same_asset_however_they_come(client: httpx.Client) -> None:
    first = client.post("/v1/assets", content=JPEG)
    second = client.post("/v1/assets", files={"file": ("other.jpg", JPEG)})

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()


def test_many_uploads_of_the_same_bytes_at_once_are_one_asset(served: Served) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(lambda _: served.client.post("/v1/assets", content=JPEG), range(32))
        )

    assert sorted({answer.status_code for answer in answers}) == [200, 201]
    assert sum(answer.status_code == 201 for answer in answers) == 1
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(list(served.engine.blobs.entries())) == 1
    assert nothing_is_staged(served)


def test_sizes_are_those_of_the_upright_picture(client: httpx.Client) -> None:
    asset = client.post("/v1/assets", content=turned_picture(80, 40)).json()

    assert (asset["width"], asset["height"], asset["orientation"]) == (40, 80, 6)


def test_tags_may_stand_in_the_address_and_filter_the_list(client: httpx.Client) -> None:
    tagged = client.post("/v1/assets?tag=north&tag=dry", content=JPEG).json()
    client.post("/v1/assets", content=picture(seed=1))

    found = client.get("/v1/assets", params={"tag": "north"}).json()

    assert tagged["tags"] == ["north", "dry"]
    assert found == {"items": [tagged], "next": None}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("../../etc/passwd", "../../etc/passwd", id="traversal"),
        pytest.param("..\\..\\boot.ini", "..\\..\\boot.ini", id="other traversal"),
        pytest.param("a%0d%0ab.jpg", "a%0d%0ab.jpg", id="percent is only percent"),
        pytest.param("😀 büro.jpg", "😀 büro.jpg", id="any script"),
        pytest.param("x" * 300 + ".jpg", "x" * 255, id="too long"),
        pytest.param("a\u202egpj.exe", "agpj.exe", id="right to left"),
        pytest.param("<img onerror=alert(1)>.jpg", "<img onerror=alert(1)>.jpg", id="markup"),
    ],
)
def test_file_names_are_only_display_text(client: httpx.Client, name: str, shown: str) -> None:
    header = {"X-Filename": name.encode()}

    asset = client.post("/v1/assets", content=JPEG, headers=header).json()  # type: ignore[arg-type]
    content = client.get(f"/v1/assets/{asset['id']}/content")

    assert asset["filename"] == shown
    assert content.content == JPEG
    assert not set("/\\\r\n") & set(content.headers["content-disposition"])


def test_a_name_with_line_breaks_in_a_form_cannot_split_a_header(client: httpx.Client) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; '
        b'filename="a\\\r\n Set-Cookie: x=1.jpg"\r\n\r\n' + JPEG + b"\r\n--b--\r\n"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=b"}

    answer = client.post("/v1/assets", content=body, headers=headers)

    assert answer.status_code in (201, 400)
    if answer.status_code == 201:
        content = client.get(f"{answer.headers['location']}/content")
        assert "set-cookie" not in content.headers


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        pytest.param(b"", 422, "empty_file", id="nothing"),
        pytest.param(b"\x00", 415, "unsupported_type", id="one byte"),
        pytest.param(b"<html><script>alert(1)</script>", 415, "unsupported_type", id="page"),
        pytest.param(b"%PDF-1.7 ...", 415, "unsupported_type", id="document"),
        pytest.param(b"#EXTM3U\nfile:///etc/passwd", 415, "unsupported_type", id="playlist"),
        pytest.param(PNG[:20], 422, "image_truncated", id="only a beginning"),
        pytest.param(PNG[:16] + bytes(4) + PNG[20:], 422, "image_corrupt", id="no width"),
    ],
)
def test_what_is_no_picture_is_refused_with_a_stable_code(
    served: Served, body: bytes, status: int, code: str
) -> None:
    answer = served.client.post("/v1/assets", content=body, headers={"X-Filename": "a.jpg"})

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert is_clean(served)


def in_chunks(body: bytes) -> Iterator[bytes]:
    """Without Content-Length: the size shows only while it arrives."""
    for start in range(0, len(body), 50_000):
        yield body[start : start + 50_000]


def raw(client: httpx.Client, body: bytes) -> httpx.Response:
    return client.post("/v1/assets", content=body)


def chunked(client: httpx.Client, body: bytes) -> httpx.Response:
    return client.post("/v1/assets", content=in_chunks(body))


def form(client: httpx.Client, body: bytes) -> httpx.Response:
    return client.post("/v1/assets", files={"file": ("big.jpg", body)})


def job_form(client: httpx.Client, body: bytes) -> httpx.Response:
    return client.post("/v1/jobs", files={"files": ("big.jpg", body)}, data={"pipeline": "demo"})


@pytest.mark.parametrize("send", [raw, chunked, form, job_form])
def test_a_body_over_the_limit_is_refused_however_it_comes(
    served: Served, send: Callable[[httpx.Client, bytes], httpx.Response]
) -> None:
    answer = send(served.client, JPEG + bytes(LIMIT))

    assert answer.status_code == 413
    assert answer.json()["code"] == "body_too_large"
    assert is_clean(served)


def test_a_body_of_exactly_the_limit_is_taken(client: httpx.Client) -> None:
    bitmap = picture(900, 1000, kind="BMP")
    padded = bitmap + bytes(LIMIT - len(bitmap))

    assert client.post("/v1/assets", content=padded).status_code == 201


@pytest.mark.parametrize("tenth", [1, 5, 9])
def test_a_client_that_leaves_in_the_middle_leaves_nothing(served: Served, tenth: int) -> None:
    body = picture(900, 900, kind="BMP")
    head = f"POST /v1/assets HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"

    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        connection.sendall(head.encode() + body[: len(body) * tenth // 10])
        eventually(lambda: not nothing_is_staged(served))

    eventually(lambda: is_clean(served))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(b"x", "multipart/form-data", id="no boundary"),
        pytest.param(b"x", "multipart/form-data; boundary=" + "b" * 500, id="long boundary"),
        pytest.param(b"nonsense", "multipart/form-data; boundary=b", id="no part"),
        pytest.param(b"--b\r\n\r\n\r\n--b--", "multipart/form-data; boundary=b", id="no name"),
        pytest.param(
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc',
            "multipart/form-data; boundary=b",
            id="no end",
        ),
        pytest.param(
            b"--b\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n--b--",
            "multipart/form-data; boundary=b",
            id="huge part header",
        ),
    ],
)
def test_a_malformed_form_is_a_bad_request(served: Served, body: bytes, content_type: str) -> None:
    answer = served.client.post("/v1/assets", content=body, headers={"Content-Type": content_type})

    assert answer.status_code == 400
    assert answer.json()["code"] == "bad_request"
    assert is_clean(served)


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        pytest.param([("picture", ("a.jpg", JPEG))], "picture", id="unknown file field"),
        pytest.param([("file", ("a", JPEG)), ("file", ("b", JPEG))], "file", id="two files"),
        pytest.param([("owner", (None, "me"))], "owner", id="unknown text field"),
        pytest.param([("tags", (None, "a"))], "file", id="no file"),
        pytest.param(
            [("file", ("a", JPEG)), ("tags", (None, "a\x07"))], "tags.0", id="control character"
        ),
    ],
)
def test_a_wrong_form_is_refused_by_the_name_of_its_field(
    served: Served, parts: list[tuple[str, tuple[str | None, str | bytes]]], field: str
) -> None:
    answer = served.client.post("/v1/assets", files=parts)  # type: ignore[arg-type]

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert is_clean(served)


def test_a_form_of_too_many_fields_is_refused(served: Served) -> None:
    parts = [("tags", (None, "x"))] * 2000

    answer = served.client.post("/v1/assets", files=parts)

    assert answer.status_code == 422
    assert is_clean(served)


def test_an_erased_asset_is_gone_with_its_bytes(served: Served) -> None:
    asset = served.client.post("/v1/assets", content=JPEG).json()
    address = f"/v1/assets/{asset['id']}"

    erased = served.client.delete(address)

    assert (erased.status_code, erased.content) == (204, b"")
    assert served.client.get(address).status_code == 404
    assert served.client.get(f"{address}/content").status_code == 404
    assert served.client.delete(address).status_code == 404
    assert is_clean(served)


def test_assets_are_listed_page_by_page_newest_first(client: httpx.Client) -> None:
    made = [client.post("/v1/assets", content=picture(seed=seed)).json()["id"] for seed in range(7)]

    seen, cursor = [], None
    while True:
        query = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = client.get("/v1/assets", params=query).json()  # type: ignore[arg-type]
        seen += [asset["id"] for asset in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break

    assert seen == made[::-1]


def is_clean(served: Served) -> bool:
    """No row, no blob, no file that is being received."""
    rows = served.client.get("/v1/assets").json()["items"]
    return not rows and not list(served.engine.blobs.entries()) and nothing_is_staged(served)


def nothing_is_staged(served: Served) -> bool:
    folder: Path = served.engine.blobs.staging
    return not list(folder.iterdir())
