"""Placing weights files so that a file with its final name is always whole."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path


def copy_durably(source: Path, target: Path, *, check: Callable[[Path], object]) -> None:
    """Copy, let `check` look at the copy and refuse it by raising, then give it its name."""
    copy = target.with_name(f"{target.name}.{os.getpid()}.copy")
    try:
        shutil.copyfile(source, copy)
        check(copy)
        move_durably(copy, target)
    finally:
        copy.unlink(missing_ok=True)


def move_durably(source: Path, target: Path) -> None:
    """Rename within a folder; on disk when this returns."""
    sync(source)
    source.replace(target)
    sync(target.parent)


def sync(path: Path) -> None:
    """Make sure that a file, or what a folder lists, is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
