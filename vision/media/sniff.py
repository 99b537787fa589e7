"""The type of a file, told from its first bytes: names and headers are only hints."""

from vision.errors import UnsupportedType

SNIFF_BYTES = 64
"""How much of the file's beginning `sniff` wants to see."""

READABLE_TYPES = (
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/tiff",
    "image/bmp",
    "image/gif",
    "image/avif",
)
"""What the decoder reads. Everything else is refused, whatever a library could do with it."""

_PREFIXES = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"II*\x00": "image/tiff",
    b"MM\x00*": "image/tiff",
    b"II+\x00": "image/tiff",
    b"MM\x00+": "image/tiff",
}
_BRANDS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"hevc": "image/heic",
    b"hevx": "image/heic",
    b"heim": "image/heic",
    b"heis": "image/heic",
}
_BMP_HEADER_SIZES = (12, 40, 52, 56, 64, 108, 124)


def sniff(head: bytes) -> str | None:
    """The media type of a file that begins with `head`; None for what we don't know.

    image/heic is recognised, so that a refusal can name it, but not readable.
    """
    for prefix, media_type in _PREFIXES.items():
        if head.startswith(prefix):
            return media_type
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    if _is_bmp(head):
        return "image/bmp"
    return _sniff_brands(head)


def readable_type(head: bytes) -> str:
    """The same, but only what we can decode. Raises UnsupportedType."""
    media_type = sniff(head)
    if media_type in READABLE_TYPES:
        return media_type
    names = ", ".join(name.removeprefix("image/").upper() for name in READABLE_TYPES)
    found = f"is {media_type}" if media_type else "has no image type that we know"
    raise UnsupportedType(f"the content {found}; we read {names}")


def _is_bmp(head: bytes) -> bool:
    # Two letters alone would take any text that begins with BM for a picture.
    return head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES


def _sniff_brands(head: bytes) -> str | None:
    """By the brands of an ISO media file: the major one, then the compatible ones."""
    if head[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[start : start + 4] for start in range(16, end - 3, 4))]
    return next((_BRANDS[brand] for brand in brands if brand in _BRANDS), None)
