"""What `vision analyze` was asked."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from vision.pipelines.document import PipelineDocument


@dataclass(frozen=True, slots=True)
class Asked:
    """One file, and what is to be done with it."""

    file: Path
    document: PipelineDocument
    _: KW_ONLY
    drawn: Path | None
    """Where the annotated file goes; None: see `target`."""
    annotate: bool
    as_json: bool

    def target(self, suffix: str, *, is_default: bool) -> Path | None:
        """Where the annotated file goes, with this suffix if nobody said; None for nowhere.

        `is_default` says whether it is drawn without being asked for.
        """
        if self.drawn is not None:
            return self.drawn
        if self.annotate or is_default:
            return Path(f"{self.file.stem}.annotated{suffix}")
        return None
