"""What a JPEG says before its pixels: size, colour layout, EXIF, and how many scans follow."""

import mmap
from dataclasses import dataclass

from vision.domain.image import ImageSize
from vision.errors import CorruptMedia, DecodeTimeout, TruncatedMedia

MAX_SCANS = 100
"""Real progressive files have about ten; 2,000 in 156 kB keep a decoder busy for minutes."""

_SOI, _EOI, _SOS, _APP1 = 0xD8, 0xD9, 0xDA, 0xE1
_STANDALONE = frozenset((0x01, *range(0xD0, 0xDA)))
"""Markers without a length: TEM, RST0 to RST7, SOI, EOI."""
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_HUFFMAN_FRAMES = frozenset((0xC0, 0xC1, 0xC2))
_FAST_SAMPLINGS = frozenset(
    (luma, (1, 1), (1, 1)) for luma in ((1, 1), (2, 1), (2, 2), (1, 2), (4, 1))
)


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """One picture's frame header and what stood before it."""

    size: ImageSize
    """As stored, before the EXIF orientation."""
    marker: int
    """Second byte of the frame marker, such as 0xC0 for baseline."""
    bits: int
    sampling: tuple[tuple[int, int], ...]
    """Across and down, for each component."""
    exif: bytes
    """The first EXIF block, or nothing."""
    scans_start: int
    """Offset of the first scan's marker."""

    @property
    def is_fast(self) -> bool:
        """Whether the layout is one for which the fast decoder was shown to equal Pillow."""
        if self.marker not in _HUFFMAN_FRAMES or self.bits != 8:
            return False
        return len(self.sampling) == 1 or self.sampling in _FAST_SAMPLINGS


def read_jpeg_header(data: mmap.mmap) -> JpegHeader:
    """Walks the segments up to the first scan. Raises CorruptMedia, TruncatedMedia."""
    position, exif, frame = 2, b"", b""
    marker = frame_marker = 0
    while marker != _SOS:
        position, marker = _next_marker(data, position)
        if marker == _EOI:
            raise CorruptMedia("the JPEG has no picture in it")
        if marker in _STANDALONE or marker == _SOS:
            continue
        segment = _segment(data, position)
        position += 2 + len(segment)
        if marker in _FRAMES:
            frame_marker, frame = marker, segment
        elif marker == _APP1 and not exif and segment.startswith(b"Exif\x00\x00"):
            exif = segment
    return _header(frame_marker, frame, exif=exif, scans_start=position - 2)


def refuse_scan_bomb(data: mmap.mmap, header: JpegHeader) -> None:
    """Raises DecodeTimeout when more scans follow than any honest file has."""
    position = header.scans_start
    for _ in range(MAX_SCANS):
        position = data.find(b"\xff\xda", position) + 2
        if position == 1:
            return
    if data.find(b"\xff\xda", position) >= 0:
        raise DecodeTimeout(f"the JPEG has more than {MAX_SCANS} scans; decoding takes too long")


def _next_marker(data: mmap.mmap, position: int) -> tuple[int, int]:
    """Offset behind the next marker, and its second byte; fill bytes and junk are skipped."""
    while True:
        position = data.find(b"\xff", position)
        if position < 0 or position + 1 >= len(data):
            raise TruncatedMedia("the JPEG ends inside its header")
        marker = data[position + 1]
        position += 1
        if marker not in (0x00, 0xFF):
            return position + 1, marker


def _segment(data: mmap.mmap, position: int) -> bytes:
    """The bytes of the segment whose length field is at `position`, without that field."""
    length = int.from_bytes(data[position : position + 2], "big")
    if position + max(length, 2) > len(data):
        raise TruncatedMedia("the JPEG ends inside its header")
    if length < 2:
        raise CorruptMedia("a JPEG segment has an impossible length")
    return data[position + 2 : position + length]


def _header(marker: int, frame: bytes, *, exif: bytes, scans_start: int) -> JpegHeader:
    if len(frame) < 6 or len(frame) < 6 + 3 * frame[5]:
        raise CorruptMedia("the JPEG has no usable frame header")
    height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    if not width or not height:
        raise CorruptMedia(f"the JPEG says it is {width}x{height}")
    factors = (frame[7 + 3 * component] for component in range(frame[5]))
    return JpegHeader(
        size=ImageSize(width=width, height=height),
        marker=marker,
        bits=frame[0],
        sampling=tuple((factor >> 4, factor & 15) for factor in factors),
        exif=exif,
        scans_start=scans_start,
    )
