"""JPEG through libjpeg-turbo, straight into the caller's memory: the same pixels as Pillow's."""

import mmap

import numpy as np
import simplejpeg

from vision.domain.image import RgbImage
from vision.domain.media import MediaFacts, MediaKind
from vision.media.exif import UPRIGHT, orientation, upright_size
from vision.media.jpeg_header import JpegHeader
from vision.media.rgb import copy_pixels, upright


def jpeg_facts(header: JpegHeader) -> MediaFacts:
    """What the header says about the upright picture."""
    turned = orientation(header.exif)
    return MediaFacts(
        kind=MediaKind.IMAGE,
        media_type="image/jpeg",
        size=upright_size(header.size, turned),
        orientation=turned,
    )


def decode_into(target: RgbImage, data: mmap.mmap, header: JpegHeader) -> bool:
    """Fills `target` with the upright pixels; False when the data isn't flawless.

    What a flawed file is worth is for Pillow to say: then both ways give the same answer.
    """
    turned = orientation(header.exif)
    is_direct = turned == UPRIGHT
    size = header.size
    stored = target if is_direct else np.empty((size.height, size.width, 3), np.uint8)
    try:
        # fastdct and fastupsample stay off: they change pixels by up to 26 of 255.
        pixels = simplejpeg.decode_jpeg(data, "RGB", buffer=stored, strict=True)
    except ValueError:
        return False
    if pixels.shape != stored.shape:
        return False
    if not is_direct:
        copy_pixels(upright(stored, turned), target)
    return True
