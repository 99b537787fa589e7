"""A family that isn't in the product, put beside those that are for the length of a test."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vision.models import catalogue, families


@contextmanager
def added_family(
    folder: Path, name: str, *, listed: str, code: str | None = None
) -> Iterator[pytest.MonkeyPatch]:
    """`listed` is the text of its YAML file, `code` that of its module; `folder` is a new one."""
    shutil.copytree(catalogue.LISTED, folder / "listed")
    (folder / "listed" / f"{name}.yaml").write_text(listed)
    modules = folder / "modules"
    modules.mkdir()
    if code is not None:
        (modules / f"{name}.py").write_text(code)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "LISTED", folder / "listed")
        patch.setattr(families, "__path__", [*families.__path__, str(modules)])
        catalogue.listed_specs.cache_clear()
        yield patch
    catalogue.listed_specs.cache_clear()
