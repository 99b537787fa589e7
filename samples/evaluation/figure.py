"""A measured figure and the floor it must reach."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the evaluation's table."""

    name: str
    value: float
    floor: float | None = None
    """None for a figure that is only reported."""

    @property
    def is_reached(self) -> bool:
        return self.floor is None or self.value >= self.floor


def table(figures: list[Figure]) -> str:
    """The figures as lines of aligned text."""
    width = max(len(figure.name) for figure in figures)
    return "\n".join(_line(figure, width) for figure in figures)


def _line(figure: Figure, width: int) -> str:
    line = f"{figure.name:<{width}}  {figure.value:8.3f}"
    if figure.floor is None:
        return line
    return f"{line}  floor {figure.floor:.2f}  {'ok' if figure.is_reached else 'MISSED'}"
