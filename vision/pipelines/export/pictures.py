"""Which pictures have results, and what their files are called."""

from vision.domain.states import ItemState
from vision.pipelines.export.archive import frame_name
from vision.pipelines.export.findings import Picture


def is_seen(picture: Picture) -> bool:
    """Whether it was analysed; an image may have failed or be waiting."""
    return picture.frame_index is not None or picture.item.state is ItemState.DONE


def picture_name(picture: Picture, stem: str) -> str:
    """What the picture's file is called, without extension."""
    return stem if picture.frame_index is None else frame_name(stem, picture.frame_index)
