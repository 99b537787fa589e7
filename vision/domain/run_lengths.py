"""COCO's compressed run lengths, read with care: a mask from outside may say anything."""

from collections.abc import Iterator, Mapping
from typing import Any

from vision.domain.image import ImageSize
from vision.domain.mask import RleMask

FIRST_DIGIT = ord("0")
BITS, MORE, SIGN = 5, 0x20, 0x10
"""Of a digit: five bits of the number, then whether another follows; the last one's top bit is the
sign."""
MAX_DIGITS = 7
"""Of one number: enough for 2**32 pixels."""


def mask_from_outside(document: Mapping[Any, object]) -> RleMask:
    """Of `{"size": [height, width], "counts": "…"}`. Raises ValueError unless it is a whole mask:
    the library that decodes run lengths trusts them.
    """
    size = _size(document.get("size"))
    counts = document.get("counts")
    if not isinstance(counts, str):
        raise ValueError("counts is a text: COCO's compressed run lengths")
    runs = list(run_lengths(counts))
    if any(run < 0 for run in runs) or sum(runs) != size.pixels:
        raise ValueError(f"the run lengths don't fill {size.width}x{size.height} pixels")
    return RleMask(size, counts)


def run_lengths(counts: str) -> Iterator[int]:
    """Pixels outside, inside, outside … of the mask, column by column. Raises ValueError."""
    before: list[int] = []
    for difference in _numbers(counts):
        # From the fourth on, each is told as what it is more than the last but one.
        run = difference + (before[-2] if len(before) > 2 else 0)
        before = [*before[-2:], run]
        yield run


def _numbers(counts: str) -> Iterator[int]:
    number = digits = 0
    for letter in counts:
        digit = ord(letter) - FIRST_DIGIT
        if not 0 <= digit < 2 * MORE or digits == MAX_DIGITS:
            raise ValueError(f"{letter!r} stands where no digit of run lengths can")
        number |= (digit & (MORE - 1)) << BITS * digits
        digits += 1
        if not digit & MORE:
            yield number - (1 << BITS * digits) if digit & SIGN else number
            number = digits = 0
    if digits:
        raise ValueError("the run lengths end in the middle of a number")


def _size(size: object) -> ImageSize:
    if not isinstance(size, list | tuple) or [type(one) for one in size] != [int, int]:
        raise ValueError("size is [height, width] in pixels")
    return ImageSize(width=size[1], height=size[0])
