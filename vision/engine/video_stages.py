"""The stages of a stored pipeline document that are about videos as wholes."""

from collections.abc import Mapping

from vision.pipelines.stages import SampleStage, TrackStage


def sample_stage(pipeline: Mapping[str, object]) -> SampleStage | None:
    """None is every frame."""
    found = pipeline.get("sample")
    return None if found is None else SampleStage.model_validate(found)


def track_stage(pipeline: Mapping[str, object]) -> TrackStage:
    """With its defaults where the document has none."""
    return TrackStage.model_validate(pipeline.get("track", {}))
