"""The stages of a stored pipeline document that are about videos as wholes."""

from collections.abc import Mapping

from vision.pipelines.stages import FollowStage, SampleStage, TrackStage


def sample_stage(pipeline: Mapping[str, object]) -> SampleStage | None:
    """None is every frame."""
    found = pipeline.get("sample")
    return None if found is None else SampleStage.model_validate(found)


def follow_stage(pipeline: Mapping[str, object]) -> FollowStage | None:
    """None where objects are not followed by a model."""
    found = pipeline.get("follow")
    return None if found is None else FollowStage.model_validate(found)


def is_seeded(pipeline: Mapping[str, object]) -> bool:
    """Whether a detector says what is followed."""
    return "detect" in pipeline


def track_stage(pipeline: Mapping[str, object]) -> TrackStage:
    """With its defaults where the document has none."""
    return TrackStage.model_validate(pipeline.get("track", {}))
