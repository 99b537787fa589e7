"""Pictures and films about which a pipeline had more to say than detections."""

from dataclasses import dataclass, replace

import numpy as np
from films import CHUNK_FRAMES, Studio, frame_detections, seconds_of
from numpy.typing import NDArray
from work import PROVENANCE, two_things

from vision.domain.findings import Classes, ClipClasses, Findings, unit_length
from vision.domain.job import ChunkResult, ItemResult, Lease, UnitResult, WorkItem, WorkResult
from vision.domain.provenance import StageProvenance
from vision.domain.states import UnitKind
from vision.engine.parts import Engine

DIMENSIONS = 4
EMBED = StageProvenance("embed", "small_dino", "ef" * 32, {"of": "image"})
CLASSIFY = StageProvenance("classify", "small_vit", "cd" * 32, {"top": 3})
RUN = replace(PROVENANCE, stages=(*PROVENANCE.stages, EMBED, CLASSIFY))


def vectors(count: int, *, seed: int) -> NDArray[np.float32]:
    return unit_length(np.random.default_rng(seed).normal(size=(count, DIMENSIONS)))


def names(*labels: str) -> Classes:
    """0.75, 0.5, 0.25 likely."""
    scores = 0.75 - 0.25 * np.arange(len(labels), dtype=np.float32)
    return Classes(labels, np.arange(len(labels)), scores)


def about_picture(item: WorkItem) -> Findings:
    """Of the n-th picture: n as seed, a name of its own, and one that all share."""
    found = two_things(item).with_embeddings(vectors(2, seed=100 + item.index))
    classes = names(f"street {item.index}", "yard", "sky")
    return Findings(found, classes, vectors(1, seed=item.index)[0])


def say(engine: Engine) -> None:
    """Works on pictures until nothing is ready."""
    while leases := engine.units.claim("test", lease_seconds=60):
        for lease in leases:
            items = tuple(
                ItemResult(item.index, findings=about_picture(item)) for item in lease.items
            )
            assert engine.units.commit(UnitResult(lease, items, RUN))


@dataclass(frozen=True)
class SayingStudio(Studio):
    """Of every tenth frame a vector and a name, and a name of each chunk as a clip."""

    def result(self, lease: Lease) -> WorkResult:
        if lease.kind is not UnitKind.CHUNK:
            return super().result(lease)
        first = (lease.chunk - 1) * CHUNK_FRAMES
        last = first + CHUNK_FRAMES - 1
        frames = tuple(frame_detections(index) for index in range(first, last + 1))
        said = tuple(
            one if one.frame_index % 10 else replace(one, findings=about_frame(one.findings, place))
            for place, one in enumerate(frames, first)
        )
        clip = ClipClasses(
            first, last, seconds_of(first), seconds_of(last), names(f"walk {lease.chunk}", "run")
        )
        return ChunkResult(lease, said, provenance=RUN, clips=(clip,))


def about_frame(found: Findings, index: int) -> Findings:
    classes = names(f"light {index}")
    return Findings(found.detections, classes, vectors(1, seed=index)[0])
