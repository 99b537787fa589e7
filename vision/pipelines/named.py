"""The pipelines that can be asked for by name. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType

import yaml

from vision.errors import InvalidPipeline
from vision.pipelines.document import PipelineDocument, parse_pipeline

NAMED_FILE = Path(__file__).with_name("named.yaml")


@dataclass(frozen=True, slots=True)
class NamedPipeline:
    """A shipped document and what it is for."""

    name: str
    description: str
    document: PipelineDocument


def _read() -> Mapping[str, NamedPipeline]:
    entries = yaml.safe_load(NAMED_FILE.read_text(encoding="utf-8"))
    return MappingProxyType(
        {
            name: NamedPipeline(name, entry["description"], parse_pipeline(entry["document"]))
            for name, entry in entries.items()
        }
    )


NAMED: Mapping[str, NamedPipeline] = _read()
"""By name, in the order in which people are shown them."""


def resolve(name_or_document: object) -> PipelineDocument:
    """A document from a name or from JSON-like data. Raises InvalidPipeline."""
    if isinstance(name_or_document, PipelineDocument):
        return name_or_document
    if not isinstance(name_or_document, str):
        return parse_pipeline(name_or_document)
    if name_or_document not in NAMED:
        similar = get_close_matches(name_or_document, NAMED, n=3) or list(NAMED)
        raise InvalidPipeline(
            f"no pipeline is named {name_or_document!r}; there are {', '.join(similar)}"
        )
    return NAMED[name_or_document].document
