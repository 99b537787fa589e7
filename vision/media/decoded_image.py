"""A picture and what its file said about it."""

from dataclasses import dataclass

from vision.domain.image import RgbImage
from vision.domain.media import MediaFacts


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImage:
    """Upright pixels, and facts that name the orientation which was undone."""

    image: RgbImage
    facts: MediaFacts
