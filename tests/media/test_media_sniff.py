"""Types by content."""

import pytest
from media_files import picture, saved

from vision.errors import UnsupportedType
from vision.media.sniff import SNIFF_BYTES, readable_type, sniff


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [
        ("JPEG", "image/jpeg"),
        ("PNG", "image/png"),
        ("WEBP", "image/webp"),
        ("TIFF", "image/tiff"),
        ("BMP", "image/bmp"),
        ("GIF", "image/gif"),
        ("AVIF", "image/avif"),
    ],
)
def test_every_readable_type_is_known_by_its_first_bytes(kind: str, media_type: str) -> None:
    assert readable_type(saved(picture(), kind)[:SNIFF_BYTES]) == media_type


def test_avif_is_found_among_the_compatible_brands() -> None:
    head = b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avifmiaf"

    assert sniff(head) == "image/avif"


def test_heic_is_named_in_its_refusal() -> None:
    head = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"

    with pytest.raises(UnsupportedType, match="image/heic"):
        readable_type(head)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xff",
        b"BM is how this text begins, and it goes on and on and on",
        b"<!DOCTYPE html><html><script>alert(1)</script>",
        b'<svg xmlns="http://www.w3.org/2000/svg">',
        b"%!PS-Adobe-3.0 EPSF-3.0",
        b"\xc5\xd0\xd3\xc6 EPS with a binary header",
        b"%PDF-1.7",
        b"PK\x03\x04 zip",
        b"MZ\x90\x00 exe",
        b"8BPS\x00\x01",
        b"SIMPLE  =                    T",
        b"DDS |\x00\x00\x00",
        b"\xd7\xcd\xc6\x9a wmf",
        b"P6 16 16 255 ",
    ],
    ids=lambda head: repr(head[:12]),
)
def test_anything_else_is_refused(head: bytes) -> None:
    assert sniff(head) is None
    with pytest.raises(UnsupportedType):
        readable_type(head)
