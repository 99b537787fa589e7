"""`vision analyze` with a follow stage: a SAM 2 on disk, read like anybody's own, in chunks."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from console import Ended, Workplace
from tiny_video_sams import FAMILIES
from workshop import LIMITS
from yard_clips import FPS, HEIGHT, WIDTH, make_clip, seen

from vision.domain.image import ImageSize
from vision.domain.mask import RleMask
from vision.domain.video import Frame
from vision.engine.video_pieces import single_frames
from vision.media.decode_process import DecodeProcess

FRAMES = 14
BOX = [40, 60, 150, 170]
FIRST = 3


@dataclass(frozen=True)
class Analysis:
    """One run over one clip, with the network that it used."""

    ended: Ended
    network: Path
    clip: Path
    drawn: Path

    @property
    def result(self) -> Any:
        return json.loads(self.ended.out)

    def frames(self) -> list[Frame]:
        """Those from the prompt on."""
        with DecodeProcess(LIMITS) as decoder:
            chunk = single_frames(decoder.index(self.clip), np.arange(FIRST, FRAMES))
            with decoder.frames(self.clip, chunk) as frames:
                return list(frames)


@pytest.fixture(scope="module")
def analysis(workplace: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """In chunks of four frames: the state is saved and taken up again on the way."""
    folder = tmp_path_factory.mktemp("followed")
    network = FAMILIES["sam2"].saved(folder / "sam2")
    like = ("--like", "sam2.1_hiera_tiny", "--file", network)
    added = workplace.run("models", "add", "tiny_sam2", *like)
    assert added.code == 0, added.err
    clip = make_clip(folder / "clip.mp4", frames=FRAMES)
    objects = [{"id": 7, "at_seconds": FIRST / FPS, "box": BOX, "label": "crate"}]
    pipeline = folder / "follow.yaml"
    pipeline.write_text(json.dumps({"follow": {"model": "tiny_sam2", "objects": objects}}))
    drawn = folder / "drawn.mp4"
    asked = ("analyze", clip, "-p", pipeline, "--json", "--out", drawn)
    ended = workplace.run(*asked, cwd=folder, VISION_CHUNK_FRAMES="4")
    assert ended.code == 0, ended.err
    return Analysis(ended, network, clip, drawn)


def test_masks_are_those_of_upstreams_own_loop(analysis: Analysis) -> None:
    upstream = FAMILIES["sam2"].upstream(analysis.network)
    expected: dict[int, RleMask] = {}
    for frame in analysis.frames():
        is_first = frame.frame_index == FIRST
        prompts = {"obj_ids": [7], "input_boxes": [[BOX]]} if is_first else {}
        _, masks, _ = upstream.feed(frame.image, frame.frame_index, **prompts)
        if masks[0].area:
            expected[frame.frame_index] = masks[0]

    rows = analysis.result["items"]

    assert len(expected) > 4, "a random network that sees nothing compares nothing"
    assert {row["frame_index"]: RleMask.from_json(row["mask"]) for row in rows} == expected


def test_the_object_is_one_track_of_its_own_number(analysis: Analysis) -> None:
    rows, (track,) = analysis.result["items"], analysis.result["tracks"]

    assert (track["track_id"], track["label"], track["detections"]) == (7, "crate", len(rows))
    assert {(row["track_id"], row["label"]) for row in rows} == {(7, "crate")}
    assert all(0 < row["score"] <= 1 for row in rows)


def test_what_was_followed_is_drawn_from_there_on(analysis: Analysis) -> None:
    drawn, original = seen(analysis.drawn), seen(analysis.clip)[FIRST:]

    assert len(drawn) == FRAMES - FIRST
    assert ImageSize.of(drawn[0]) == ImageSize(width=WIDTH, height=HEIGHT)
    assert np.abs(drawn[0].astype(int) - original[0]).max() > 40
