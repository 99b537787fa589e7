"""What came of one picture."""

from dataclasses import dataclass

from vision.domain.detections import Detections
from vision.domain.findings import Findings
from vision.domain.media import MediaFacts
from vision.domain.provenance import Provenance


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """Results without a database."""

    findings: Findings
    facts: MediaFacts
    provenance: Provenance

    @property
    def detections(self) -> Detections:
        return self.findings.detections
