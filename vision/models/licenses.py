"""What a licence asks of people who use a model, as facts: no advice, no link, no small print."""

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import StrEnum


class Gate(StrEnum):
    """What stands between people and the files at their publisher."""

    NONE = "none"
    FORM = "form"
    """Terms are accepted on the model's page; the files are there at once, with a token."""
    MANUAL_REVIEW = "manual review"
    """Somebody decides, who may refuse."""


@dataclass(frozen=True, slots=True)
class License:
    """The terms under which a model's weights may be used."""

    name: str
    """The SPDX identifier where there is one."""
    gate: Gate = Gate.NONE
    forbids: tuple[str, ...] = ()
    """Plain sentences about use, beyond what every free licence says."""
    note: str = ""
    """What else is known, such as the licence of the data."""

    @property
    def is_restricted(self) -> bool:
        """Whether somebody has to accept it before the model runs."""
        return bool(self.forbids)

    @property
    def sha256(self) -> str:
        """Of everything that is shown to whoever accepts it: other facts, another hash."""
        facts = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(facts.encode()).hexdigest()
