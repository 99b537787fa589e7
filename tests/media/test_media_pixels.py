"""Friendly files of every kind become the right upright RGB pixels."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from media_files import by_pillow, exif, picture, png_chunk, saved
from PIL import Image, ImageCms, TiffImagePlugin

from vision.domain.image import ImageSize
from vision.errors import UnsupportedType
from vision.media.decode_process import DecodeProcess

LOSSLESS = {"lossless": True}


@pytest.mark.parametrize(
    ("kind", "media_type", "options"),
    [
        ("PNG", "image/png", {}),
        ("WEBP", "image/webp", LOSSLESS),
        ("TIFF", "image/tiff", {}),
        ("TIFF", "image/tiff", {"compression": "tiff_lzw"}),
        ("TIFF", "image/tiff", {"compression": "tiff_adobe_deflate"}),
        ("BMP", "image/bmp", {}),
        ("JPEG", "image/jpeg", {}),
        ("AVIF", "image/avif", {}),
        ("GIF", "image/gif", {}),
    ],
)
def test_every_type_gives_pillows_pixels(
    decoder: DecodeProcess, kind: str, media_type: str, options: dict[str, object]
) -> None:
    data = saved(picture(), kind, **options)

    decoded = decoder.decode(data)

    assert np.array_equal(decoded.image, by_pillow(data))
    assert decoded.image.dtype == np.uint8
    assert decoded.facts.media_type == media_type
    assert decoded.facts.size == ImageSize(width=64, height=48)
    assert decoder.probe(data) == decoded.facts


def test_a_path_and_its_bytes_give_the_same(decoder: DecodeProcess, tmp_path: Path) -> None:
    path = tmp_path / "-i %05d http:|.txt"
    path.write_bytes(saved(picture(), "PNG"))

    assert np.array_equal(decoder.decode(path).image, decoder.decode(path.read_bytes()).image)


@pytest.mark.parametrize("subsampling", ["444", "422", "420", "440", "411", "Gray"])
@pytest.mark.parametrize("size", [(1, 1), (17, 9), (3, 200), (640, 481)])
def test_jpeg_equals_pillow_for_every_subsampling(
    decoder: DecodeProcess, subsampling: str, size: tuple[int, int]
) -> None:
    space = "gray" if subsampling == "Gray" else "rgb"
    pixels = np.asarray(picture(*size).convert("L" if space == "gray" else "RGB"))
    pixels = pixels.reshape(size[1], size[0], -1).copy()
    data = simplejpeg.encode_jpeg(pixels, 90, space, subsampling)

    assert np.array_equal(decoder.decode(data).image, by_pillow(data))


@pytest.mark.parametrize(
    "options",
    [
        {"progressive": True},
        {"progressive": True, "subsampling": 0},
        {"keep_rgb": True},
        {"restart_marker_blocks": 2},
        {"quality": 3},
        {"optimize": True},
    ],
    ids=str,
)
def test_jpeg_equals_pillow_for_every_way_of_coding(
    decoder: DecodeProcess, options: dict[str, object]
) -> None:
    data = saved(picture(321, 243), "JPEG", **options)

    assert np.array_equal(decoder.decode(data).image, by_pillow(data))


def _turned(orientation: int) -> Image.Image:
    """The stored form of a picture that a viewer shows upright."""
    back = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    return picture() if back is None else picture().transpose(back)


def _with_orientation(kind: str, orientation: int) -> bytes:
    stored = _turned(orientation)
    if kind == "TIFF":
        return saved(stored, kind, tiffinfo={274: orientation})
    if kind == "TIFF LZW":
        return saved(stored, "TIFF", tiffinfo={274: orientation}, compression="tiff_lzw")
    options = {"JPEG": {"quality": 98, "subsampling": 0}, "WEBP": LOSSLESS, "AVIF": {"quality": 95}}
    return saved(stored, kind, exif=exif(orientation), **options.get(kind, {}))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "TIFF LZW", "AVIF"])
def test_the_camera_s_orientation_is_undone(
    decoder: DecodeProcess, kind: str, orientation: int
) -> None:
    data = _with_orientation(kind, orientation)

    decoded = decoder.decode(data)

    difference = np.abs(decoded.image.astype(int) - np.asarray(picture()).astype(int))
    assert difference.mean() < 6  # lossy kinds; a wrong turn gives above 80
    assert decoded.facts.orientation == orientation
    assert decoded.facts.size == ImageSize(width=64, height=48)
    assert decoder.probe(data) == decoded.facts


def test_png_orientation_counts_even_behind_the_pixels(decoder: DecodeProcess) -> None:
    plain = saved(_turned(6), "PNG")
    end = plain.index(b"IEND") - 4
    data = plain[:end] + png_chunk(b"eXIf", exif(6)[6:]) + plain[end:]

    assert np.array_equal(decoder.decode(data).image, np.asarray(picture()))
    assert decoder.probe(data).orientation == 6


@pytest.mark.parametrize(
    "block",
    [
        b"Exif\x00\x00",
        b"Exif\x00\x00garbage that is no directory",
        b"Exif\x00\x00II*\x00\xff\xff\xff\xff",
        b"Exif\x00\x00II*\x00" + struct.pack("<IH", 8, 65535),
        b"Exif\x00\x00II*\x00" + struct.pack("<IHI", 8, 0, 8),
        exif(0),
        exif(9),
    ],
    ids=["empty", "garbage", "far offset", "many entries", "loop", "zero", "nine"],
)
def test_nonsense_in_exif_is_ignored(decoder: DecodeProcess, block: bytes) -> None:
    decoded = decoder.decode(saved(picture(), "JPEG", exif=block))

    assert decoded.facts.orientation == 1
    assert decoded.facts.size == ImageSize(width=64, height=48)


def test_sixteen_bit_grey_is_scaled(decoder: DecodeProcess) -> None:
    eight = np.asarray(picture().convert("L"))
    sixteen = Image.fromarray(eight.astype(np.uint16) * 257)

    for kind in ("PNG", "TIFF"):
        decoded = decoder.decode(saved(sixteen, kind)).image
        assert np.array_equal(decoded, np.repeat(eight[..., None], 3, axis=2))


def test_sixteen_bit_colour_is_scaled(decoder: DecodeProcess) -> None:
    eight = np.asarray(picture())
    rows = [b"\x00" + row.astype(">u2").tobytes() for row in eight.astype(np.uint16) * 257]
    header = struct.pack(">IIBBBBB", 64, 48, 16, 2, 0, 0, 0)
    plain = saved(picture(), "PNG")
    data = b"".join(
        (
            plain[:8],
            png_chunk(b"IHDR", header),
            png_chunk(b"IDAT", zlib.compress(b"".join(rows))),
            png_chunk(b"IEND", b""),
        )
    )

    assert np.array_equal(decoder.decode(data).image, eight)


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_pixels_without_an_agreed_range_are_refused(
    decoder: DecodeProcess, dtype: type[np.generic]
) -> None:
    data = saved(Image.fromarray(np.ones((8, 8), dtype)), "TIFF")

    with pytest.raises(UnsupportedType, match="8 or 16 bits"):
        decoder.decode(data)


def test_transparency_is_laid_on_white(decoder: DecodeProcess) -> None:
    image = Image.new("RGBA", (30, 10), (200, 0, 0, 255))
    image.paste((0, 0, 0, 0), (10, 0, 20, 10))
    image.paste((0, 0, 0, 128), (20, 0, 30, 10))

    for data in (saved(image, "PNG"), saved(image, "WEBP", lossless=True, exact=True)):
        row = decoder.decode(data).image[5]
        assert row[5].tolist() == [200, 0, 0]
        assert row[15].tolist() == [255, 255, 255]
        assert np.abs(row[25].astype(int) - 127).max() <= 1


def test_grey_with_alpha_and_palettes(decoder: DecodeProcess) -> None:
    grey = Image.new("LA", (4, 4), (80, 0))
    palette = picture().quantize(16)
    clear = Image.new("P", (4, 4), 3)
    clear.putpalette([10, 20, 30] * 16)

    assert decoder.decode(saved(grey, "PNG")).image[0, 0].tolist() == [255, 255, 255]
    assert np.array_equal(
        decoder.decode(saved(palette, "PNG")).image, np.asarray(palette.convert("RGB"))
    )
    seen = decoder.decode(saved(clear, "PNG", transparency=3)).image
    assert seen[0, 0].tolist() == [255, 255, 255]
    assert decoder.decode(saved(picture().convert("1"), "PNG")).image.shape == (48, 64, 3)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_printing_colours_come_out_right(decoder: DecodeProcess, kind: str) -> None:
    """Pillow writes CMYK JPEG inverted with Adobe's marker, as Photoshop does."""
    data = saved(picture().convert("CMYK"), kind, **({"quality": 98} if kind == "JPEG" else {}))

    difference = decoder.decode(data).image.astype(int) - np.asarray(picture()).astype(int)

    assert np.abs(difference).mean() < 6


def test_only_the_first_of_several_pictures_is_used(decoder: DecodeProcess) -> None:
    first, second = picture(), Image.new("RGB", (64, 48), "black")
    for kind, options in (
        ("GIF", {}),
        ("PNG", {}),
        ("WEBP", LOSSLESS),
        ("TIFF", {}),
        ("AVIF", {}),
    ):
        data = saved(first, kind, save_all=True, append_images=[second], **options)
        decoded = decoder.decode(data)
        assert decoded.image.mean() > 50
        assert "first" in decoded.facts.warnings[0]
        assert decoder.probe(data).warnings == decoded.facts.warnings


def test_previews_behind_a_photograph_are_no_animation(decoder: DecodeProcess) -> None:
    data = saved(picture(), "MPO", save_all=True, append_images=[picture(16, 12)])

    decoded = decoder.decode(data)

    assert decoded.facts.media_type == "image/jpeg"
    assert decoded.facts.warnings == ()


def test_colour_profiles_don_t_change_numbers(decoder: DecodeProcess) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain = decoder.decode(saved(picture(), "PNG")).image

    for icc in (profile, b"not a profile at all"):
        data = saved(picture(), "PNG", icc_profile=icc)
        assert np.array_equal(decoder.decode(data).image, plain)


def test_real_content_wins_over_the_name(decoder: DecodeProcess, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(saved(picture(), "PNG"))

    assert decoder.probe(path).media_type == "image/png"


def test_a_zip_behind_a_jpeg_changes_nothing(decoder: DecodeProcess) -> None:
    data = saved(picture(), "JPEG")

    assert np.array_equal(decoder.decode(data + b"PK\x03\x04" * 99).image, by_pillow(data))


@pytest.mark.parametrize("size", [(1, 1), (20_000, 1), (1, 3000)])
def test_extreme_shapes_are_pictures(decoder: DecodeProcess, size: tuple[int, int]) -> None:
    for kind in ("PNG", "JPEG"):
        decoded = decoder.decode(saved(Image.new("RGB", size, "red"), kind))
        assert decoded.image.shape == (size[1], size[0], 3)


def test_sixteen_bit_grey_with_white_at_zero(decoder: DecodeProcess) -> None:
    values = np.linspace(0, 65535, 64 * 4).astype(np.uint16).reshape(4, 64)
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[262] = 0
    file = io.BytesIO()
    Image.fromarray(values).save(file, "TIFF", tiffinfo=tags)
    is_inverted = Image.open(io.BytesIO(file.getvalue())).tag_v2[262] == 0

    decoded = decoder.decode(file.getvalue()).image

    assert is_inverted
    assert decoded[0, 0, 0] == 255
    assert decoded[-1, -1, 0] == 0
