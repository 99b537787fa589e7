"""The one EXIF value we act on: how the camera was held."""

import struct

from vision.domain.image import ImageSize

UPRIGHT = 1
_ORIENTATION_TAG = 0x0112
_SHORT = 3
_ENTRY_BYTES = 12
_BYTE_ORDERS = {b"II*\x00": "<", b"MM\x00*": ">"}


def orientation(exif: bytes) -> int:
    """EXIF orientation 1 to 8 of an EXIF block; 1 when the block is missing or nonsense.

    Only the first directory is read, so no chain of directories can lead in circles.
    """
    block = exif.removeprefix(b"Exif\x00\x00")
    order = _BYTE_ORDERS.get(block[:4])
    if order is None:
        return UPRIGHT
    try:
        value = _find_orientation(block, order)
    except struct.error:
        return UPRIGHT
    return value if 1 <= value <= 8 else UPRIGHT


def upright_size(stored: ImageSize, orientation: int) -> ImageSize:
    """The size after the orientation is undone: from 5 on, the camera was held sideways."""
    if orientation < 5:
        return stored
    return ImageSize(width=stored.height, height=stored.width)


def _find_orientation(block: bytes, order: str) -> int:
    (start,) = struct.unpack_from(order + "I", block, 4)
    (count,) = struct.unpack_from(order + "H", block, start)
    for index in range(count):
        offset = start + 2 + index * _ENTRY_BYTES
        tag, kind, _, value = struct.unpack_from(order + "HHIH", block, offset)
        if tag == _ORIENTATION_TAG and kind == _SHORT:
            return int(value)
    return UPRIGHT
