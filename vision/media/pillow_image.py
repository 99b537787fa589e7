"""Still images through Pillow: every readable type, one explicit plugin each."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from vision.domain.image import ImageSize, RgbImage
from vision.domain.media import MediaFacts, MediaKind
from vision.errors import MediaTooLarge
from vision.media.exif import UPRIGHT, orientation, upright_size
from vision.media.png_chunks import require_checksums, walk_png
from vision.media.rgb import to_rgb, upright
from vision.media.truncation import verdict

_FORMATS = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/webp": "WEBP",
    "image/tiff": "TIFF",
    "image/bmp": "BMP",
    "image/gif": "GIF",
    "image/avif": "AVIF",
}
"""Pillow's name for each readable type."""

PLUGINS = (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
"""Imported for their registration; no other parser of Pillow's is ever asked."""

_MULTI_PICTURE = "MPO"
"""A photograph with previews of itself behind it: not an animation."""
_ORIENTATION_TAG = 0x0112
FIRST_PICTURE_ONLY = "the file holds several pictures; the first was used"
_HOSTILE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
)
"""What Pillow's parsers are known to raise on damaged files."""


class PillowImage:
    """An opened picture: the header is read and within the limits, the pixels are not decoded."""

    def __init__(self, file: BinaryIO, media_type: str, *, max_pixels: int) -> None:
        """`file` stays open, and the caller's. Raises BadMedia."""
        self._file, self._media_type = file, media_type
        exif = walk_png(file).exif if media_type == "image/png" else b""
        with self._translated():
            self._picture = _open(file, media_type, max_pixels=max_pixels)
            self._orientation = _orientation(self._picture, exif)
            self.facts = self._facts()
        require_pixels(self.facts.size, max_pixels)

    def pixels(self) -> RgbImage:
        """Upright. Raises BadMedia."""
        if self._media_type == "image/png":
            position = self._file.tell()
            require_checksums(self._file)
            self._file.seek(position)  # Pillow goes on reading where it stopped
        with self._translated():
            picture = to_rgb(self._picture)
            data = picture.tobytes()
        stored = np.frombuffer(data, np.uint8).reshape(picture.height, picture.width, 3)
        return stored if self._is_turned_by_pillow else upright(stored, self._orientation)

    @property
    def _is_turned_by_pillow(self) -> bool:
        """Pillow turns TIFF itself while decoding, and gives the turned size before."""
        return isinstance(self._picture, TiffImagePlugin.TiffImageFile)

    def _facts(self) -> MediaFacts:
        size = ImageSize(*self._picture.size)
        if not self._is_turned_by_pillow:
            size = upright_size(size, self._orientation)
        is_animated = getattr(self._picture, "is_animated", False)
        has_frames = is_animated and self._picture.format != _MULTI_PICTURE
        return MediaFacts(
            kind=MediaKind.IMAGE,
            media_type=self._media_type,
            size=size,
            orientation=self._orientation,
            warnings=(FIRST_PICTURE_ONLY,) if has_frames else (),
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except Image.DecompressionBombError as error:
            raise MediaTooLarge("the picture has more pixels than the limit") from error
        except UnidentifiedImageError as error:
            reason = "its header can't be read"
            raise verdict(self._file, self._media_type, reason=reason) from error
        except _HOSTILE as error:
            reason = str(error) or type(error).__name__
            raise verdict(self._file, self._media_type, reason=reason) from error


def require_pixels(size: ImageSize, max_pixels: int) -> None:
    """Raises MediaTooLarge above the limit."""
    if size.pixels > max_pixels:
        raise MediaTooLarge(
            f"the picture has {size.width}x{size.height} pixels; the limit is {max_pixels} in all"
        )


def _open(file: BinaryIO, media_type: str, *, max_pixels: int) -> Image.Image:
    # Pillow refuses above twice this number, before its decoders allocate their canvas.
    Image.MAX_IMAGE_PIXELS = (max_pixels + 1) // 2
    file.seek(0)
    return Image.open(file, formats=(_FORMATS[media_type],))


def _orientation(picture: Image.Image, png_exif: bytes) -> int:
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        value = picture.tag_v2.get(_ORIENTATION_TAG, UPRIGHT)
        return value if value in range(1, 9) else UPRIGHT
    return orientation(png_exif or picture.info.get("exif", b""))
