"""Headers and bodies of strangers, without a server."""

import pytest
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from api.downloads import attachment
from api.negotiation import preferred
from api.ranges import ByteRange, requested_range
from api.request_id import request_id_of
from api.strict_json import parse_json
from api.waiting import preferred_seconds
from vision.errors import InvalidRequest


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(None, None, id="no header: everything"),
        pytest.param("bytes=0-0", ByteRange(0, 1), id="first byte"),
        pytest.param("bytes=5-", ByteRange(5, 10), id="open end"),
        pytest.param("bytes=-3", ByteRange(7, 10), id="last three"),
        pytest.param("bytes=-99", ByteRange(0, 10), id="longer than the file"),
        pytest.param("bytes=2-99", ByteRange(2, 10), id="end past the file"),
        pytest.param("bytes=3-2", None, id="backwards: not understood"),
        pytest.param("bytes=-", None, id="no numbers"),
        pytest.param("bytes=0-1,3-4", None, id="several: all of it is allowed"),
        pytest.param("lines=0-1", None, id="unknown unit"),
        pytest.param("bytes=٣-", None, id="digits that are not ASCII"),
    ],
)
def test_range_header_is_read_as_the_standard_says(
    header: str | None, expected: ByteRange | None
) -> None:
    assert requested_range(header, 10) == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-20", "bytes=-0"])
def test_range_past_the_end_cannot_be_satisfied(header: str) -> None:
    with pytest.raises(HTTPException) as raised:
        requested_range(header, 10)

    assert raised.value.status_code == 416
    assert raised.value.headers == {"Content-Range": "bytes */10"}


OFFERED = ("image/jpeg", "image/png")


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param(None, "image/jpeg", id="no header"),
        pytest.param("*/*", "image/jpeg", id="anything"),
        pytest.param("image/png", "image/png", id="exactly one"),
        pytest.param("image/*;q=0.5, image/png", "image/png", id="special before general"),
        pytest.param("image/png;q=0.1, image/jpeg;q=0.9", "image/jpeg", id="by quality"),
        pytest.param("text/html, image/*;q=0.8", "image/jpeg", id="a browser"),
        pytest.param("image/jpeg;q=0, */*", "image/png", id="refused by name"),
    ],
)
def test_the_media_type_the_client_likes_best_is_taken(accept: str | None, expected: str) -> None:
    assert preferred(accept, OFFERED) == expected


@pytest.mark.parametrize("accept", ["text/html", "image/jpeg;q=0", "image/jpeg;q=nonsense"])
def test_a_client_that_takes_nothing_we_have_is_told_so(accept: str) -> None:
    with pytest.raises(HTTPException) as raised:
        preferred(accept, OFFERED)

    assert raised.value.status_code == 406


@pytest.mark.parametrize(
    ("prefer", "expected"),
    [
        (None, None),
        ("wait=5", 5),
        ("respond-async, wait=10", 10),
        ("Wait = 7 ; foo", 7),
        ("wait=9999", 60),
        ("wait=soon", None),
        ("await=5", None),
        ("wait=-5", None),
    ],
)
def test_prefer_header_names_how_long_to_wait(prefer: str | None, expected: int | None) -> None:
    assert preferred_seconds(prefer) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"a": 1, "a": 2}', id="duplicate key"),
        pytest.param('{"a": NaN}', id="not a number"),
        pytest.param('{"a": -Infinity}', id="infinity"),
        pytest.param("[" * 100_000, id="depth bomb"),
        pytest.param("1" * 100_000, id="huge number"),
        pytest.param(b"\xff\xfe\xff", id="no text"),
        pytest.param("", id="nothing"),
        pytest.param("{'a': 1}", id="python, not JSON"),
    ],
)
def test_json_that_could_hurt_is_refused(text: str | bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse_json(text)


@pytest.mark.parametrize("given", ["abc-123", "A.b_c", "x" * 128])
def test_a_plain_request_id_is_kept(given: str) -> None:
    assert request_id_of(Headers({"X-Request-Id": given})) == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "a\tb", "ä", "a;b", "{{7*7}}"])
def test_any_other_request_id_is_replaced(given: str) -> None:
    made = request_id_of(Headers(raw=[(b"x-request-id", given.encode("latin-1"))]))

    assert made != given
    assert len(made) == 36


@pytest.mark.parametrize(
    "name", ["a\r\nSet-Cookie: x=1.jpg", '"; filename="b', "../../etc/passwd", "😀.jpg", "a\\b"]
)
def test_no_file_name_can_leave_its_header(name: str) -> None:
    value = attachment(name)["Content-Disposition"]

    assert value.isascii()
    assert value.isprintable()
    assert value.count('"') == 2
    assert "/" not in value
