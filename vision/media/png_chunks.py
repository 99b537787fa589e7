"""The chunks of a PNG, walked without inflating anything."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from vision.errors import CorruptMedia, TruncatedMedia

MAX_DEFLATE_RATIO = 1032
"""Deflate can't expand further (zlib's technical notes): a smaller file can't hold the pixels."""
MAX_CHUNKS = 100_000
_SIGNATURE_BYTES = 8
_READ_KINDS = (b"IHDR", b"eXIf")
_MAX_READ_BYTES = _BLOCK_BYTES = 1 << 20
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


@dataclass(frozen=True, slots=True)
class PngChunks:
    """What the walk found."""

    exif: bytes
    """Wherever in the file it stands; nothing when there is none."""
    is_complete: bool
    """Whether the walk reached the end chunk."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    kind: bytes
    position: int
    """Of the chunk's length field, in the file."""
    length: int
    """Of the body."""
    body: bytes
    """Of the chunks that we read; nothing for the others."""


def walk_png(file: BinaryIO) -> PngChunks:
    """Raises CorruptMedia for a header that its own file can't fulfil."""
    file_bytes = file.seek(0, 2)
    exif, is_complete = b"", False
    for chunk in _chunks(file, file_bytes):
        if chunk.kind == b"IHDR":
            _refuse_lying_header(chunk.body, file_bytes)
        elif chunk.kind == b"eXIf":
            exif = exif or chunk.body
        is_complete = chunk.kind == b"IEND"
    return PngChunks(exif, is_complete)


def require_checksums(file: BinaryIO) -> None:
    """Raises CorruptMedia when compressed pixels don't match their checksum.

    Pillow doesn't look at it: pixels of a damaged file would pass for real ones.
    """
    for chunk in _chunks(file, file.seek(0, 2)):
        if chunk.kind != b"IDAT":
            continue
        file.seek(chunk.position + 4)
        checksum, left = 0, chunk.length + 4
        while left:
            block = file.read(min(left, _BLOCK_BYTES))
            if not block:
                raise TruncatedMedia("the PNG became shorter while it was read")
            checksum, left = zlib.crc32(block, checksum), left - len(block)
        if checksum != int.from_bytes(file.read(4), "big"):
            raise CorruptMedia("the PNG's pixels don't match their checksum")


def _chunks(file: BinaryIO, file_bytes: int) -> Iterator[_Chunk]:
    """Up to the end chunk, or to the last whole chunk of a file that ends early."""
    position = _SIGNATURE_BYTES
    for _ in range(MAX_CHUNKS):
        file.seek(position)
        head = file.read(8)
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if len(head) < 8 or position + 12 + length > file_bytes:
            return
        is_read = kind in _READ_KINDS and length <= _MAX_READ_BYTES
        yield _Chunk(kind, position, length, file.read(length) if is_read else b"")
        if kind == b"IEND":
            return
        position += 12 + length


def _refuse_lying_header(header: bytes, file_bytes: int) -> None:
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    if len(header) < 13 or not width or not height:
        raise CorruptMedia(f"the PNG says it is {width}x{height}")
    bits = width * header[8] * _CHANNELS.get(header[9], 1)
    if height * (1 + (bits + 7) // 8) > MAX_DEFLATE_RATIO * file_bytes:
        raise CorruptMedia(
            f"the PNG says it is {width}x{height}, more than {file_bytes} bytes can hold"
        )
