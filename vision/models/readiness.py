"""What a model lacks before it can run on this machine. No torch."""

from collections.abc import Iterator

from vision.models.families import lacking_packages
from vision.models.spec import ModelSpec
from vision.models.weights import WeightsStore

READY = "here"


def lacks(spec: ModelSpec, weights: WeightsStore) -> Iterator[str]:
    """In a few words each, in the order in which one sets it right."""
    if lacking_packages(spec):
        yield f"needs extra {spec.extra}"
    if not weights.acceptances.permits(spec):
        yield "not accepted"
    if not weights.is_present(spec):
        yield "missing"


def state(spec: ModelSpec, weights: WeightsStore) -> str:
    """`here`, or what it lacks."""
    return ", ".join(lacks(spec, weights)) or READY
