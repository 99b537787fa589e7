"""The steps of the folded decoder that take nearly all its time: as they are, or compiled."""

import os
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from vision.errors import MissingDependency
from vision.models.folded_exchange import Exchange, Outcome, Talk, first_step, later_step
from vision.models.folded_upscaling import Upscaling, masks_drawn

Step = Callable[[Tensor, Tensor, Talk, nn.LayerNorm, Tensor], Outcome]
Drawing = Callable[[Upscaling, Tensor, Tensor, Sequence[Exchange], Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Steps:
    """`first_step`, `later_step` and `masks_drawn`, or what gives the same."""

    first: Step
    later: Step
    draw: Drawing
    sizes: tuple[int, ...] = ()
    """Numbers of prompts that they are made for, ascending; none: for any."""

    def filled(self, rows: Tensor) -> Tensor:
        """(k, ...) rows of prompts and as many copies of the last as are missing to a size.

        More than the largest size are several of that size and a rest.
        """
        if not self.sizes or not len(rows):
            return rows
        rest = len(rows) % self.sizes[-1]
        missing = next(size - rest for size in (0, *self.sizes) if size >= rest)
        return torch.cat([rows, rows[-1:].expand(missing, *rows.shape[1:])])


AS_THEY_ARE = Steps(first_step, later_step, masks_drawn)
SMALL_SIZES = (1, 8)
"""So few prompts need not wait for as many as go together at most."""


def compiled_steps(device: torch.device, at_once: int) -> Steps:
    """Compiled for `at_once` prompts or few, which happens when they are called with them.

    Raises MissingDependency where nothing can be compiled.
    """
    require_compiler(device)
    return Steps(
        torch.compile(first_step, dynamic=False),
        torch.compile(later_step, dynamic=False),
        torch.compile(masks_drawn, dynamic=False),
        sizes=(*(size for size in SMALL_SIZES if size < at_once), at_once),
    )


def require_compiler(device: torch.device) -> None:
    """Raises MissingDependency, naming what torch.compile lacks for this device."""
    if device.type == "cuda":
        _require(find_spec("triton") is not None, "the triton package")
        return
    default = "clang++" if sys.platform == "darwin" else "g++"
    program = shlex.split(os.environ.get("CXX", default))[0]
    _require(shutil.which(program) is not None, f"a C++ compiler: no {program} on the PATH")
    header = Path(sysconfig.get_path("include"), "Python.h")
    _require(header.is_file(), f"Python's headers: no {header}")


def _require(is_there: bool, what: str) -> None:
    if not is_there:
        raise MissingDependency(f"a compiled mask decoder needs {what}; it also runs uncompiled")
