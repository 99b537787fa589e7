"""What the command line says about a model: a row, and its card."""

from vision.models.readiness import state
from vision.models.spec import ModelSpec, SnapshotSpec
from vision.models.weights import WeightsStore

MIB = 1024 * 1024
COLUMNS = ("model", "tasks", "MiB", "state", "license", "gate")


def row(spec: ModelSpec, weights: WeightsStore) -> tuple[object, ...]:
    """For `COLUMNS`."""
    size = spec.weights.size_bytes
    return (
        spec.name,
        ", ".join(sorted(spec.tasks)),
        None if size is None else f"{size / MIB:.1f}",
        state(spec, weights),
        spec.license.name,
        spec.license.gate,
    )


def summary(spec: ModelSpec, weights: WeightsStore) -> dict[str, object]:
    """As JSON, in a list."""
    return {
        "name": spec.name,
        "family": spec.family,
        "tasks": sorted(spec.tasks),
        "license": spec.license.name,
        "state": state(spec, weights),
        "weights": {
            "file": spec.weights.file,
            "size_bytes": spec.weights.size_bytes,
            "sha256": spec.weights.sha256,
            "is_present": weights.is_present(spec),
        },
    }


def card(spec: ModelSpec, weights: WeightsStore) -> dict[str, object]:
    """Everything that is known."""
    return summary(spec, weights) | {
        "weights": _weights(spec, weights),
        "like": spec.like,
        "needs": list(spec.needs),
        "extra": spec.extra,
        "input": spec.input,
        "intended_use": spec.intended_use,
        "limits": spec.limits,
        "training_data": spec.training_data,
        "license_gate": spec.license.gate,
        "license_forbids": list(spec.license.forbids),
        "license_note": spec.license.note,
        "acceptance": _acceptance(spec, weights),
        "metrics": dict(spec.metrics),
        "everything_defaults": dict(spec.everything_defaults),
        "labels": list(spec.reportable_labels),
        "keypoint_names": list(spec.keypoint_names),
    }


def _weights(spec: ModelSpec, weights: WeightsStore) -> dict[str, object]:
    listed = spec.weights
    known: dict[str, object] = {
        "file": listed.file,
        "size_bytes": listed.size_bytes,
        "sha256": listed.sha256,
        "is_present": weights.is_present(spec),
    }
    if not isinstance(listed, SnapshotSpec):
        return known
    names = [*listed.files, *listed.optional_files]
    return known | {"hub": listed.hub, "revision": weights.revision(spec), "files": names}


def _acceptance(spec: ModelSpec, weights: WeightsStore) -> str:
    if not spec.license.is_restricted:
        return "not needed"
    held = weights.acceptances.of(spec)
    return "none" if held is None else f"by {held.accepted_by} at {held.at}"
