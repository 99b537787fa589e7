"""The type of a file, told from its first bytes: names and headers are only hints."""

from vision.errors import UnsupportedType

SNIFF_BYTES = 1024
"""How much of the file's beginning `sniff` wants to see: three packets of a transport stream."""

IMAGE_TYPES = (
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/tiff",
    "image/bmp",
    "image/gif",
    "image/avif",
)
VIDEO_TYPES = (
    "video/mp4",
    "video/quicktime",
    "video/webm",
    "video/x-matroska",
    "video/x-msvideo",
    "video/mp2t",
    "video/mpeg",
)
READABLE_TYPES = (*IMAGE_TYPES, *VIDEO_TYPES)
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
    b"\x00\x00\x01\xba": "video/mpeg",
}
_RIFF = {b"WEBP": "image/webp", b"AVI ": "video/x-msvideo"}
_IMAGE_BRANDS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"hevc": "image/heic",
    b"hevx": "image/heic",
    b"heim": "image/heic",
    b"heis": "image/heic",
}
_VIDEO_BRANDS = (
    *(b"iso", b"mp4", b"avc1", b"hvc1", b"hev1", b"av01", b"M4V", b"M4A", b"3gp", b"3g2"),
    *(b"dash", b"cmf", b"f4v", b"mmp4", b"MSNV", b"XAVC", b"piff", b"msdh", b"NDS"),
)
"""How the names begin that video files in the family of MP4 give themselves."""
_QUICKTIME_BRAND = b"qt  "
_QUICKTIME_ATOMS = (b"moov", b"mdat", b"wide", b"pnot")
"""What a QuickTime file without a brand begins with."""
_EBML, _WEBM = b"\x1a\x45\xdf\xa3", b"webm"
_EBML_HEAD_BYTES = 64
_BMP_HEADER_SIZES = (12, 40, 52, 56, 64, 108, 124)
_SYNC = 0x47
_TRANSPORT_PACKETS = ((0, 188), (4, 192), (0, 204))
"""Where the first packet of a transport stream begins, and how far apart they are."""
_NAMES = {
    "video/mp4": "MP4",
    "video/quicktime": "MOV",
    "video/webm": "WebM",
    "video/x-matroska": "MKV",
    "video/x-msvideo": "AVI",
    "video/mp2t": "MPEG-TS",
    "video/mpeg": "MPEG-PS",
}


def sniff(head: bytes) -> str | None:
    """The media type of a file that begins with `head`; None for what we don't know.

    image/heic is recognised, so that a refusal can name it, but not readable.
    """
    for prefix, media_type in _PREFIXES.items():
        if head.startswith(prefix):
            return media_type
    if head.startswith(b"RIFF") and head[8:12] in _RIFF:
        return _RIFF[head[8:12]]
    if head.startswith(_EBML):
        return "video/webm" if _WEBM in head[:_EBML_HEAD_BYTES] else "video/x-matroska"
    if _is_bmp(head):
        return "image/bmp"
    return _sniff_atoms(head) or _sniff_transport_stream(head)


def readable_type(head: bytes) -> str:
    """The same, but only what we can decode. Raises UnsupportedType."""
    media_type = sniff(head)
    if media_type in READABLE_TYPES:
        return media_type
    images = ", ".join(name.removeprefix("image/").upper() for name in IMAGE_TYPES)
    found = f"is {media_type}" if media_type else "has no type that we know"
    raise UnsupportedType(f"the content {found}; we read {images}, {', '.join(_NAMES.values())}")


def _is_bmp(head: bytes) -> bool:
    # Two letters alone would take any text that begins with BM for a picture.
    return head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES


def _sniff_atoms(head: bytes) -> str | None:
    """ISO media files, by their brands: the major one, then the compatible ones."""
    if head[4:8] in _QUICKTIME_ATOMS:
        return "video/quicktime"
    if head[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[start : start + 4] for start in range(16, end - 3, 4))]
    images = (_IMAGE_BRANDS[brand] for brand in brands if brand in _IMAGE_BRANDS)
    return next(images, None) or next(filter(None, map(_video_type, brands)), None)


def _video_type(brand: bytes) -> str | None:
    if brand == _QUICKTIME_BRAND:
        return "video/quicktime"
    return "video/mp4" if brand.startswith(_VIDEO_BRANDS) else None


def _sniff_transport_stream(head: bytes) -> str | None:
    for first, distance in _TRANSPORT_PACKETS:
        places = range(first, first + 3 * distance, distance)
        if len(head) > places[-1] and all(head[place] == _SYNC for place in places):
            return "video/mp2t"
    return None
