"""Files made to break decoders: each gets a stable code, and the next file works."""

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from media_files import (
    bmp_of_claimed_size,
    by_pillow,
    gif_of_claimed_size,
    jpeg_of_claimed_size,
    picture,
    png,
    png_chunk,
    saved,
    scan_bomb,
    solid_png,
    tiff_header_only,
)

from vision.errors import (
    BadMedia,
    CorruptMedia,
    DecodeTimeout,
    EmptyFile,
    MediaTooLarge,
    TruncatedMedia,
    UnsupportedType,
)
from vision.media.decode_process import DecodeProcess

GOOD = saved(picture(), "PNG")


@pytest.fixture(autouse=True)
def _next_file_works(decoder: DecodeProcess) -> Iterator[None]:
    yield
    assert np.array_equal(decoder.decode(GOOD).image, np.asarray(picture()))


def _refuse(decoder: DecodeProcess, data: bytes, error: type[BadMedia]) -> None:
    with pytest.raises(error):
        decoder.decode(data)


def _outcome(decoder: DecodeProcess, data: bytes) -> str:
    """The error's code, or nothing when there are pixels."""
    try:
        decoder.decode(data)
    except BadMedia as error:
        return error.code
    return ""


@pytest.mark.parametrize(
    "data",
    [
        solid_png(20_000, 20_000),
        solid_png(40_000, 40_000, bits=1),
        jpeg_of_claimed_size(65_500, 65_500),
        gif_of_claimed_size(65_535, 65_535),
        tiff_header_only(60_000, 60_000),
        bmp_of_claimed_size(100_000, 100_000),
        bmp_of_claimed_size(2**31 - 1, 2**31 - 1),
    ],
    ids=["png 400 MP", "1-bit png 1600 MP", "jpeg", "gif", "tiff", "bmp", "bmp 2^31"],
)
def test_too_many_pixels_are_refused_by_the_header(decoder: DecodeProcess, data: bytes) -> None:
    with pytest.raises(MediaTooLarge):
        decoder.probe(data)
    _refuse(decoder, data, MediaTooLarge)


@pytest.mark.parametrize("size", [(60_000, 60_000), (2**31 - 1, 1), (5000, 5000)], ids=str)
def test_png_header_that_its_file_cannot_fulfil(
    decoder: DecodeProcess, size: tuple[int, int]
) -> None:
    _refuse(decoder, png(*size, rows=b"\x00\x00"), CorruptMedia)


@pytest.mark.parametrize("size", [(0, 10), (10, 0), (0, 0)], ids=str)
def test_sides_of_zero(decoder: DecodeProcess, size: tuple[int, int]) -> None:
    for data in (png(*size, rows=b"\x00"), jpeg_of_claimed_size(*size)):
        _refuse(decoder, data, CorruptMedia)
    for data in (bmp_of_claimed_size(*size), tiff_header_only(*size)):
        _refuse(decoder, data, CorruptMedia)


def test_progressive_jpeg_with_thousands_of_scans(decoder: DecodeProcess) -> None:
    data = scan_bomb(2000)

    with pytest.raises(DecodeTimeout):
        decoder.probe(data)
    _refuse(decoder, data, DecodeTimeout)


def test_honest_progressive_jpeg_is_no_bomb(decoder: DecodeProcess) -> None:
    data = saved(picture(), "JPEG", progressive=True)

    assert np.array_equal(decoder.decode(data).image, by_pillow(data))


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_text_that_inflates_without_end(decoder: DecodeProcess, kind: bytes) -> None:
    bomb = zlib.compress(bytes(100 << 20), 9)
    head = {
        b"zTXt": b"k\x00\x00",
        b"iTXt": b"k\x00\x01\x00\x00\x00",
        b"iCCP": b"k\x00\x00",
    }[kind]
    data = png(2, 2, rows=bytes(6), extra=png_chunk(kind, head + bomb))

    try:
        decoded = decoder.decode(data)
    except CorruptMedia:
        return
    assert kind == b"iCCP"  # a profile that is too long is left aside, the pixels are fine
    assert decoded.image.shape == (2, 2, 3)


@pytest.mark.parametrize("tenths", range(1, 10))
@pytest.mark.parametrize("kind", ["JPEG", "progressive JPEG", "PNG", "WEBP", "AVIF", "BMP", "GIF"])
def test_cut_off_files_are_truncated(decoder: DecodeProcess, kind: str, tenths: int) -> None:
    options = {"progressive": True} if kind.startswith("prog") else {}
    whole = saved(picture(200, 150), kind.split()[-1], **options)

    _refuse(decoder, whole[: len(whole) * tenths // 10], TruncatedMedia)


def test_two_bytes_short_is_truncated(decoder: DecodeProcess) -> None:
    _refuse(decoder, saved(picture(), "JPEG")[:-2], TruncatedMedia)


@pytest.mark.parametrize("tenths", range(1, 10))
def test_cut_off_tiff_is_refused(decoder: DecodeProcess, tenths: int) -> None:
    """Its directory stands anywhere, so what is missing can't always be told."""
    whole = saved(picture(200, 150), "TIFF", compression="tiff_lzw")

    with pytest.raises((TruncatedMedia, CorruptMedia)):
        decoder.decode(whole[: len(whole) * tenths // 10])


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.99])
def test_wrong_checksum(decoder: DecodeProcess, share: float) -> None:
    data = bytearray(GOOD)
    start, end = data.index(b"IDAT") + 4, data.index(b"IEND") - 8
    data[start + int(share * (end - start))] ^= 1

    _refuse(decoder, bytes(data), CorruptMedia)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_any_one_byte_may_be_wrong(decoder: DecodeProcess, kind: str) -> None:
    """Pixels or a refusal, never a dead process: the fixture's file would notice a hang."""
    whole = saved(picture(24, 16), kind)
    step = max(1, len(whole) // 250)

    for position in range(0, len(whole), step):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        assert _outcome(decoder, bytes(damaged)) != "decoder_crashed", f"byte {position}"


def test_random_mutants(decoder: DecodeProcess) -> None:
    random = np.random.default_rng(11)
    wholes = [saved(picture(40, 30), kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "TIFF")]

    for _ in range(200):
        data = np.frombuffer(wholes[random.integers(len(wholes))], np.uint8).copy()
        data[random.integers(0, len(data), 6)] = random.integers(0, 256, 6)
        assert _outcome(decoder, data.tobytes()) != "decoder_crashed"


def test_damaged_jpeg_that_decodes_carries_a_warning(decoder: DecodeProcess) -> None:
    whole = saved(picture(400, 300), "JPEG", quality=95)
    data = whole[: len(whole) // 2] + b"\x13\x37" * 4 + whole[len(whole) // 2 + 8 :]

    decoded = decoder.decode(data)

    assert np.array_equal(decoded.image, by_pillow(data))
    assert "errors" in decoded.facts.warnings[0]


def test_no_bytes_at_all(decoder: DecodeProcess, tmp_path: Path) -> None:
    _refuse(decoder, b"", EmptyFile)
    (tmp_path / "empty").touch()
    with pytest.raises(EmptyFile):
        decoder.probe(tmp_path / "empty")


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        np.random.default_rng(3).bytes(5000),
        b"<html><body>photo</body></html>",
        b'<?xml version="1.0"?><svg width="9" height="9"/>',
        b"%PDF-1.4 and more",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        saved(picture(), "EPS"),
        saved(picture(), "PDF"),
        saved(picture(), "ICO"),
        saved(picture(), "PPM"),
        saved(picture(), "TGA"),
        saved(picture(), "JPEG2000"),
        saved(picture(), "DDS"),
    ],
    ids=lambda data: repr(data[:8]),
)
def test_what_we_do_not_read(decoder: DecodeProcess, data: bytes) -> None:
    _refuse(decoder, data, UnsupportedType)


def test_ghostscript_is_never_started(
    decoder: DecodeProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "gs"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    trap.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    eps = saved(picture(), "EPS")

    for data in (eps, b"\xff\xd8\xff" + eps, b"GIF89a" + eps):
        with pytest.raises(BadMedia):
            decoder.decode(data)
    assert not (tmp_path / "started").exists()


def test_a_magic_number_and_nothing_behind_it(decoder: DecodeProcess) -> None:
    for head in (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\x00"):
        for data in (head, head + bytes(40), head + b"<script>" * 9):
            with pytest.raises(BadMedia):
                decoder.decode(data)


def test_directory_that_leads_in_circles(decoder: DecodeProcess) -> None:
    data = bytearray(saved(picture(), "TIFF"))
    first = struct.unpack_from("<I", data, 4)[0]
    entries = struct.unpack_from("<H", data, first)[0]
    struct.pack_into("<I", data, first + 2 + 12 * entries, first)

    decoded = decoder.decode(bytes(data))

    assert np.array_equal(decoded.image, np.asarray(picture()))


def test_frames_without_number_cost_nothing(decoder: DecodeProcess) -> None:
    data = saved(
        picture(8, 8), "GIF", save_all=True, append_images=[picture(8, 8).rotate(90)], duration=9
    )
    body = data[data.rindex(b"\x21\xf9") : -1]

    decoded = decoder.decode(data[:-1] + body * 20_000 + b";")

    assert decoded.image.shape == (8, 8, 3)


def test_a_pipe_is_no_source(decoder: DecodeProcess, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "endless.jpg")

    with pytest.raises(UnsupportedType):
        decoder.decode(tmp_path / "endless.jpg")
