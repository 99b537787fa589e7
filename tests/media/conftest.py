"""One decode process for all tests that don't break theirs on purpose."""

from collections.abc import Iterator

import pytest

from vision.media.decode_process import DecodeProcess
from vision.media.limits import DecodeLimits

LIMITS = DecodeLimits(max_pixels=100_000_000, seconds=60, memory_bytes=2 << 30)


@pytest.fixture(scope="session")
def decoder() -> Iterator[DecodeProcess]:
    with DecodeProcess(LIMITS) as process:
        yield process
