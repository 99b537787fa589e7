"""How many threads torch uses, for tests to which it matters.

With one alone, torch enlarges pictures of three channels by a kernel of its own (2.15): some pixels
of upstream's masks then differ from those of any other number of threads.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from segment_anything.modeling import Sam
from torch import Tensor


@pytest.fixture
def two_threads() -> Iterator[None]:
    """For the whole test."""
    with _two():
        yield


def enlarging_by_two(network: Sam) -> Sam:
    """Whose masks are enlarged by two threads, and nothing else is: they wait for each other."""

    def enlarge(*arguments: Any) -> Tensor:
        with _two():
            large: Tensor = upstreams(*arguments)
        return large

    upstreams = network.postprocess_masks
    network.postprocess_masks = enlarge
    return network


@contextmanager
def _two() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        yield
    finally:
        torch.set_num_threads(before)
