"""Which code, models, weights and parameters made a result."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class StageProvenance:
    """One stage of a pipeline as it really ran."""

    stage: str
    """detect, segment, …"""
    model: str
    weights_sha256: str
    parameters: Mapping[str, object]
    """Every parameter that shaped the result, defaults included."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Everything needed to make the same result again."""

    stages: tuple[StageProvenance, ...]
    code_version: str
    device: str
    """Such as cpu or cuda."""
    precision: str
    """float32, bfloat16 or float16."""

    def to_json(self) -> dict[str, object]:
        return asdict(self) | {"stages": [asdict(stage) for stage in self.stages]}

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, hexadecimal: equal provenance, equal digest."""
        return hashlib.sha256(canonical_json(self.to_json())).hexdigest()


def canonical_json(document: object) -> bytes:
    """UTF-8 JSON with sorted keys and no spaces: equal documents, equal bytes."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
