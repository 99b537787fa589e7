"""Errors of the file itself: another try would end the same."""

from vision import errors

PERMANENT_CODES = frozenset(
    kind.code
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.BadMedia)
)
