"""One still image file: its facts, and its pixels. Runs in the decode process only."""

import mmap
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import BinaryIO, TypeAlias

from vision.domain.image import ImageSize, RgbImage
from vision.domain.media import MediaFacts
from vision.errors import UnsupportedType
from vision.media.decoded_image import DecodedImage
from vision.media.fast_jpeg import decode_into, jpeg_facts
from vision.media.jpeg_header import JpegHeader, read_jpeg_header, refuse_scan_bomb
from vision.media.pillow_image import PillowImage, require_pixels
from vision.media.rgb import copy_pixels
from vision.media.shared_files import mapped
from vision.media.sniff import SNIFF_BYTES, VIDEO_TYPES, readable_type

Allocate: TypeAlias = Callable[[ImageSize], RgbImage]
"""Gives the memory for a picture of that size."""

RECOVERED = "the JPEG data has errors; parts of the picture may be wrong"


def read_facts(file: BinaryIO, *, max_pixels: int) -> MediaFacts:
    """From the header alone. Raises BadMedia."""
    media_type = _media_type(file)
    if media_type == "image/jpeg":
        with closing(mapped(file.fileno())) as data:
            _checked_header(data, max_pixels=max_pixels)
    return PillowImage(file, media_type, max_pixels=max_pixels).facts


def decode(file: BinaryIO, allocate: Allocate, *, max_pixels: int) -> DecodedImage:
    """The upright pixels, in the memory that `allocate` gave. Raises BadMedia."""
    media_type = _media_type(file)
    if media_type != "image/jpeg":
        return _decode_by_pillow(PillowImage(file, media_type, max_pixels=max_pixels), allocate)
    with closing(mapped(file.fileno())) as data:
        header = _checked_header(data, max_pixels=max_pixels)
        facts = jpeg_facts(header)
        if header.is_fast:
            target = allocate(facts.size)
            if decode_into(target, data, header):
                return DecodedImage(target, facts)
    decoded = _decode_by_pillow(PillowImage(file, media_type, max_pixels=max_pixels), allocate)
    return _with_warning(decoded, RECOVERED) if header.is_fast else decoded


def _media_type(file: BinaryIO) -> str:
    file.seek(0)
    media_type = readable_type(file.read(SNIFF_BYTES))
    if media_type in VIDEO_TYPES:
        raise UnsupportedType(f"the content is {media_type}; a picture is wanted here")
    return media_type


def _checked_header(data: mmap.mmap, *, max_pixels: int) -> JpegHeader:
    header = read_jpeg_header(data)
    require_pixels(header.size, max_pixels)
    refuse_scan_bomb(data, header)
    return header


def _decode_by_pillow(image: PillowImage, allocate: Allocate) -> DecodedImage:
    pixels = image.pixels()
    target = allocate(ImageSize.of(pixels))
    copy_pixels(pixels, target)
    return DecodedImage(target, image.facts)


def _with_warning(decoded: DecodedImage, warning: str) -> DecodedImage:
    facts = replace(decoded.facts, warnings=(*decoded.facts.warnings, warning))
    return replace(decoded, facts=facts)
