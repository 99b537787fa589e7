"""Folders of weights, as a model hub or `save_pretrained` makes them. No torch.

Only data is taken: no pickles, no code, no links, nothing in sub-folders. What a folder held when
it was taken stands in its lock, with every file's hash.
"""

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from vision.errors import InvalidRequest, WeightsMismatch
from vision.models.checksums import file_sha256
from vision.models.files import sync
from vision.models.spec import TENSORS_SUFFIX

LOCK_FILE = "vision-lock.json"
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
CONFIG_FILE = "config.json"
OPEN_CLIP_CONFIG = "open_clip_config.json"
"""In its place, of open_clip's models."""
DATA_SUFFIXES = (TENSORS_SUFFIX, ".json", ".txt", ".model")
"""Tensors; configurations, vocabularies and merges; SentencePiece's tables."""
PAPER_SUFFIXES = (".md", ".rst", ".pdf")
PAPER_NAMES = frozenset({"LICENSE", "NOTICE", LOCK_FILE})
"""For people: left behind."""
NAMELESS = "N/A"
"""For an id that a config skips; one of `spec.NO_CLASS`."""


@dataclass(frozen=True, slots=True)
class SnapshotLock:
    """What was taken, written beside it."""

    files: Mapping[str, str]
    """Name to SHA-256."""
    hub: str | None = None
    revision: str | None = None
    """Commit on the hub that the files come from."""


def data_files(folder: Path) -> tuple[str, ...]:
    """Names of what a model is loaded from, sorted. Raises InvalidRequest naming what may not be.

    Papers for people and hidden files are passed over.
    """
    found = sorted(entry for entry in folder.iterdir() if not _is_paper(entry))
    for entry in found:
        if entry.is_symlink() or not entry.is_file():
            raise InvalidRequest(f"{entry} is a link or a folder; give a folder of plain files")
        if not FILE_NAME.fullmatch(entry.name):
            raise InvalidRequest(f"{entry.name!r}: letters, digits, dot, dash and underscore")
        if entry.suffix not in DATA_SUFFIXES:
            raise InvalidRequest(
                f"{entry.name} is none of {', '.join(DATA_SUFFIXES)}; save the model as safetensors"
            )
    names = tuple(entry.name for entry in found)
    has_config = CONFIG_FILE in names or OPEN_CLIP_CONFIG in names
    if not has_config or not any(name.endswith(TENSORS_SUFFIX) for name in names):
        raise InvalidRequest(f"{folder} lacks {CONFIG_FILE} or a {TENSORS_SUFFIX} file")
    return names


def files_hashes(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 by name, computed now."""
    return {name: file_sha256(folder / name) for name in names}


def require_hashes(
    what: str, found: Mapping[str, str], wanted: Mapping[str, str], *, advice: str = ""
) -> None:
    """Raises WeightsMismatch for the first file that isn't as recorded."""
    for name, digest in wanted.items():
        if found[name] != digest:
            raise WeightsMismatch(
                f"{name} isn't the file of {what}: its SHA-256 is {found[name]}, "
                f"that on record {digest}{advice and '; '}{advice}"
            )


def require_nothing_else(folder: Path, recorded: Mapping[str, str]) -> None:
    """A loader reads what it finds. Raises WeightsMismatch for a file that isn't on record."""
    found = {entry.name for entry in folder.iterdir() if not _is_paper(entry)}
    strangers = sorted(found - set(recorded))
    if strangers:
        raise WeightsMismatch(f"{strangers[0]} doesn't belong into {folder}; remove it")


def read_lock(folder: Path) -> SnapshotLock | None:
    """None without one, or where it can't be read."""
    try:
        return parsed_lock((folder / LOCK_FILE).read_bytes())
    except OSError:
        return None


def parsed_lock(content: bytes) -> SnapshotLock | None:
    """None for what isn't one."""
    try:
        return SnapshotLock(**json.loads(content))
    except (ValueError, TypeError):
        return None


def write_lock(folder: Path, lock: SnapshotLock) -> None:
    """Into a folder that nobody reads yet."""
    (folder / LOCK_FILE).write_text(json.dumps(asdict(lock), indent=1), "utf-8")


def labels_in_config(folder: Path) -> tuple[str, ...]:
    """By class id, as config.json's `id2label` says; empty where it doesn't."""
    try:
        names = json.loads((folder / CONFIG_FILE).read_text("utf-8")).get("id2label") or {}
        by_id = {int(class_id): str(name) for class_id, name in names.items()}
    except (OSError, ValueError, AttributeError):
        return ()
    return tuple(by_id.get(class_id, NAMELESS) for class_id in range(max(by_id, default=-1) + 1))


@contextmanager
def staging(place: Path) -> Iterator[Path]:
    """A new folder beside `place`, gone at the end unless it was moved."""
    stage = place.with_name(f".{place.name}.{os.getpid()}.new")
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def copy_files(source: Path, target: Path, names: tuple[str, ...]) -> None:
    """Into a folder that is there."""
    for name in names:
        shutil.copyfile(source / name, target / name)


def put_in_place(stage: Path, place: Path) -> None:
    """Give a whole folder its name; on disk when this returns. What had the name goes."""
    for file in stage.iterdir():
        sync(file)
    sync(stage)
    replaced = place.with_name(f".{place.name}.{os.getpid()}.old")
    if place.exists():
        place.replace(replaced)
    stage.replace(place)
    sync(place.parent)
    shutil.rmtree(replaced, ignore_errors=True)


def _is_paper(entry: Path) -> bool:
    is_named_so = entry.name in PAPER_NAMES or entry.name.startswith(".")
    return is_named_so or entry.suffix in PAPER_SUFFIXES
