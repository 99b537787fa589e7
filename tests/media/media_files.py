"""Files for the tests of media, friendly and hostile, all made here."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from vision.domain.image import RgbImage


def picture(width: int = 64, height: int = 48) -> Image.Image:
    """Four quarters of different colours with a little texture: any turn shows."""
    pixels = np.zeros((height, width, 3), np.uint8)
    half_high, half_wide = height // 2, width // 2
    pixels[:half_high, :half_wide] = (220, 30, 40)
    pixels[:half_high, half_wide:] = (30, 200, 60)
    pixels[half_high:, :half_wide] = (40, 60, 210)
    pixels[half_high:, half_wide:] = (230, 220, 90)
    noise = np.random.default_rng(7).integers(0, 20, pixels.shape, dtype=np.uint8)
    return Image.fromarray(pixels + noise)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def by_pillow(data: bytes) -> RgbImage:
    """What Pillow makes of it, plainly."""
    with Image.open(io.BytesIO(data)) as opened:
        return np.asarray(opened.convert("RGB"))


def exif(orientation: int) -> bytes:
    """An EXIF block with nothing but the orientation."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"Exif\x00\x00II*\x00" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    checked = kind + body
    return struct.pack(">I", len(body)) + checked + struct.pack(">I", zlib.crc32(checked))


def png(width: int, height: int, *, rows: bytes, bits: int = 8, extra: bytes = b"") -> bytes:
    """A grey PNG by hand: `rows` is what gets deflated, `extra` are chunks before it."""
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            png_chunk(b"IHDR", header),
            extra,
            png_chunk(b"IDAT", zlib.compress(rows, 9)),
            png_chunk(b"IEND", b""),
        )
    )


def solid_png(width: int, height: int, *, bits: int = 8) -> bytes:
    """A true one of any size; a few hundred kilobytes for hundreds of megapixels."""
    row = bytes(1 + (width * bits + 7) // 8)
    deflater = zlib.compressobj(9)
    packed = b"".join([*(deflater.compress(row) for _ in range(height)), deflater.flush()])
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header)
    return start + png_chunk(b"IDAT", packed) + png_chunk(b"IEND", b"")


def jpeg_of_claimed_size(width: int, height: int) -> bytes:
    """A small JPEG whose frame header says something else."""
    data = bytearray(saved(picture(), "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def scan_bomb(scans: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    data = saved(picture(256, 256), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * scans + data[-2:]


def tiff_header_only(width: int, height: int) -> bytes:
    """126 bytes that claim to be a picture of any size."""
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (277, 3, 1, 1),
        (278, 4, 1, height),
        (279, 4, 1, width * height & 0xFFFFFFFF),
    ]
    directory = struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHII", *entry) for entry in entries
    )
    return b"II*\x00" + struct.pack("<I", 8) + directory + struct.pack("<I", 0)


def gif_of_claimed_size(width: int, height: int) -> bytes:
    data = bytearray(saved(picture().convert("P"), "GIF"))
    data[6:10] = struct.pack("<HH", width, height)
    return bytes(data)


def bmp_of_claimed_size(width: int, height: int) -> bytes:
    data = bytearray(saved(picture(), "BMP"))
    data[18:26] = struct.pack("<ii", width, height)
    return bytes(data)
