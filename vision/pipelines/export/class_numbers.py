"""Class numbers without gaps, for formats that want them."""

from collections.abc import Iterable

_FIRST = ("person", "pedestrian")
"""MOT Challenge's only scored class is number 1, a pedestrian."""


class ClassNumbers:
    """Labels numbered from 0: people first, then those already known by name, then the others as
    they are met."""

    def __init__(self, known: Iterable[str]) -> None:
        labels = sorted(known, key=lambda label: (label not in _FIRST, label))
        self._numbers = {label: number for number, label in enumerate(labels)}

    def of(self, label: str) -> int:
        return self._numbers.setdefault(label, len(self._numbers))

    def labels(self) -> list[str]:
        """In order of their numbers."""
        return list(self._numbers)
