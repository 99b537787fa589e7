"""What annotated files are called: as the files they show, with the suffix of what they are."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath


def annotated_names(names: Iterable[str], suffix: str) -> Mapping[str, str]:
    """`a/b.png` becomes `a/b.jpg` for `.jpg`; where that meets another one, `a/b.png.jpg`.

    No two are equal, not even on a file system that doesn't tell A from a.
    """
    names = tuple(names)
    short = {name: PurePosixPath(name).with_suffix(suffix).as_posix() for name in names}
    wanted = Counter(name.casefold() for name in short.values())
    chosen: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        new = short[name] if wanted[short[name].casefold()] == 1 else f"{name}{suffix}"
        chosen[name] = _free(new, suffix, taken)
        taken.add(chosen[name].casefold())
    return chosen


def _free(name: str, suffix: str, taken: set[str]) -> str:
    stem, number = name.removesuffix(suffix), 2
    while name.casefold() in taken:
        name, number = f"{stem}-{number}{suffix}", number + 1
    return name
