"""Which files of a folder are pictures or videos, and what they hold."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vision.errors import InvalidRequest
from vision.media.sniff import SNIFF_BYTES, sniff

JPEG_SUFFIXES = (".jfif", ".jpe", ".jpeg", ".jpg")
IMAGE_SUFFIXES = frozenset(
    (*JPEG_SUFFIXES, ".avif", ".bmp", ".gif", ".heic", ".heif", ".png", ".tif", ".tiff", ".webp")
)
VIDEO_SUFFIXES = frozenset(
    (".3gp", ".avi", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")
)
"""Not .ts: most files of that name are TypeScript, and a transport stream is known by content."""
HASH_BLOCK_BYTES = 1024 * 1024
NO_SUFFIX = "(none)"


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that claims to be a picture or a video, by its name or by its content."""

    path: Path
    name: str
    """Path below the folder with /, fit to be shown: bytes that are no UTF-8 are replaced."""


@dataclass(frozen=True, slots=True)
class FolderContent:
    """Every file below a folder is either found or counted as skipped."""

    found: tuple[FoundFile, ...]
    """By name."""
    skipped: Mapping[str, int]
    """Files that are neither and don't claim to be, by suffix."""


def look_into(place: Path, *, recursive: bool, leave_out: Path) -> FolderContent:
    """The pictures and videos of a folder, or the one file that is named.

    That is what has such a suffix or such first bytes; so a text renamed `.jpg` is found (and
    will be reported as bad), a photo without suffix is found, and `notes.txt` is skipped. A file
    named outright is always found. Hidden files are skipped: `._photo.jpg` is what macOS leaves
    beside a photo. Nothing below `leave_out` is looked at.
    """
    if place.is_file():
        return FolderContent((FoundFile(place, shown(place.name)),), {})
    if not place.is_dir():
        raise InvalidRequest(f"there is no folder {place}")
    found, skipped = [], Counter[str]()
    for path in _files(place, recursive=recursive, leave_out=leave_out.resolve()):
        if _claims_to_be_media(path):
            found.append(FoundFile(path, shown(path.relative_to(place).as_posix())))
        else:
            skipped[path.suffix.lower() or NO_SUFFIX] += 1
    return FolderContent(tuple(sorted(found, key=lambda file: file.name)), dict(skipped))


def shown(name: str) -> str:
    """A name as text that every encoding takes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def sha256_of(path: Path) -> str:
    """Hexadecimal, of the content. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _files(folder: Path, *, recursive: bool, leave_out: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        here = Path(parent)
        # In place: os.walk goes down into what is left in the list.
        folders[:] = [
            name for name in folders if recursive and (here / name).resolve() != leave_out
        ]
        yield from (here / name for name in names if (here / name).is_file())


def _claims_to_be_media(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    if path.suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES:
        return True
    try:
        with path.open("rb") as file:
            return sniff(file.read(SNIFF_BYTES)) is not None
    except OSError:
        # Unreadable and neither by name: nothing says that anybody wants it analyzed.
        return False
