"""Whether a file that failed to decode simply ends too early."""

from collections.abc import Callable
from typing import BinaryIO

from vision.errors import BadMedia, CorruptMedia, TruncatedMedia
from vision.media.png_chunks import walk_png

_MAX_BOXES = 1000


def verdict(file: BinaryIO, media_type: str, *, reason: str) -> BadMedia:
    """The error for a file that its decoder refused with `reason`: truncated or corrupt."""
    ends_early = _BY_TYPE.get(media_type)
    is_truncated = ends_early(file) if ends_early else "truncated" in reason.lower()
    name = media_type.removeprefix("image/").upper()
    if is_truncated:
        return TruncatedMedia(f"the {name} file ends too early")
    return CorruptMedia(f"the {name} file is damaged: {reason[:200]}")


def _png_ends_early(file: BinaryIO) -> bool:
    return not walk_png(file).is_complete


def _webp_ends_early(file: BinaryIO) -> bool:
    file.seek(4)
    return int.from_bytes(file.read(4), "little") + 8 > file.seek(0, 2)


def _gif_ends_early(file: BinaryIO) -> bool:
    end = file.seek(0, 2)
    file.seek(max(0, end - 1))
    return file.read(1) != b";"


def _bmp_ends_early(file: BinaryIO) -> bool:
    file.seek(2)
    return int.from_bytes(file.read(4), "little") > file.seek(0, 2)


def _avif_ends_early(file: BinaryIO) -> bool:
    """Whether one of the outermost boxes reaches beyond the end of the file."""
    position, file_bytes = 0, file.seek(0, 2)
    for _ in range(_MAX_BOXES):
        file.seek(position)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:  # 0 means: to the end of the file
            return False
        position += length
        if position >= file_bytes:
            return position > file_bytes
    return False


_BY_TYPE: dict[str, Callable[[BinaryIO], bool]] = {
    "image/png": _png_ends_early,
    "image/webp": _webp_ends_early,
    "image/gif": _gif_ends_early,
    "image/bmp": _bmp_ends_early,
    "image/avif": _avif_ends_early,
}
