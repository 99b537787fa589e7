"""A video from its asset to stored detections: probed, cut, read, inferred, stored."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from video_workshop import (
    SPOTS,
    SpotPipeline,
    add_clip,
    number_of,
    open_spot_pipeline,
    picture,
    seen_frames,
    write_clip,
)
from workshop import Workshop, add_file, add_picture, submit

from vision.domain.findings import Findings
from vision.domain.image import RgbImage
from vision.domain.job import Lease
from vision.domain.states import ItemState, JobState
from vision.domain.stored import DetectionFilter
from vision.engine import video_chunk
from vision.engine.station import Pace, RunsImages
from vision.engine.work_loop import WorkDone, work

PACE = Pace()


class Recording(SpotPipeline):
    """Remembers which frames went through together."""

    def __init__(self) -> None:
        super().__init__()
        self.passes: list[list[int]] = []

    def run(self, images: Sequence[RgbImage]) -> list[Findings]:
        self.passes.append([number_of(image) for image in images])
        return super().run(images)


class Stumbling(SpotPipeline):
    """Fails on one frame, by a bug."""

    def run(self, images: Sequence[RgbImage]) -> list[Findings]:
        if any(number_of(image) == 27 for image in images):
            raise RuntimeError("a bug")
        return super().run(images)


def test_every_frame_is_analysed_once_and_in_order(cinema: Workshop) -> None:
    job = submit(cinema.engine, [add_clip(cinema.engine, 70)], SPOTS)

    done = work(cinema.station, PACE)

    ended = cinema.engine.jobs.get(job.id)
    assert done == WorkDone(units=1 + 4, images=0, frames=70)
    assert ended.state is JobState.SUCCEEDED
    assert seen_frames(cinema.engine, job.id) == list(range(70))
    assert ended.video is not None
    assert (ended.video.frames_done, ended.video.frames_total) == (70, 70)
    assert ended.video.fraction == 1


def test_times_are_those_of_the_file(cinema: Workshop, tmp_path: Path) -> None:
    pts = np.cumsum(np.arange(30) % 5 + 1).tolist()
    clip = write_clip(tmp_path / "uneven.mp4", range(30), pts=pts)
    job = submit(cinema.engine, [add_file(cinema.engine, clip)], SPOTS)

    work(cinema.station, PACE)

    rows = cinema.engine.detections.stream(DetectionFilter(job_id=job.id))
    times = {row.frame_index: row.pts_seconds for row in rows}
    steps = np.diff([times[index] for index in range(30)])
    assert steps == pytest.approx(np.diff(pts) / 10)


def test_sampling_chooses_by_time(cinema: Workshop) -> None:
    sampled = {**SPOTS, "sample": {"every_seconds": 0.5, "start_seconds": 1, "end_seconds": 4}}
    job = submit(cinema.engine, [add_clip(cinema.engine, 70)], sampled)

    done = work(cinema.station, PACE)

    assert done.frames == 6
    assert seen_frames(cinema.engine, job.id) == [10, 15, 20, 25, 30, 35]


def test_images_and_videos_share_a_job(cinema: Workshop) -> None:
    engine = cinema.engine
    assets = [add_picture(engine, 1, size=(128, 64)), add_clip(engine, 25)]
    job = submit(engine, assets, SPOTS)

    done = work(replace(cinema.station, open_pipeline=lambda _document: EmptyForPictures()), PACE)

    assert (done.images, done.frames) == (1, 25)
    assert engine.jobs.get(job.id).state is JobState.SUCCEEDED
    states = [item.state for item in engine.jobs.items(job.id, limit=10).items]
    assert states == [ItemState.DONE, ItemState.DONE]


class EmptyForPictures(SpotPipeline):
    """Finds nothing where nothing is bright."""

    def run(self, images: Sequence[RgbImage]) -> list[Findings]:
        return [
            super(EmptyForPictures, self).run([image])[0] if image.max() > 200 else Findings.empty()
            for image in images
        ]


def test_frames_share_a_pass_by_their_place_in_the_chunk_alone(cinema: Workshop) -> None:
    recording = Recording()
    station = replace(cinema.station, batch_images=8, open_pipeline=lambda _document: recording)
    submit(cinema.engine, [add_clip(cinema.engine, 40)], SPOTS)

    work(station, PACE)

    of_one_chunk = [range(8), range(8, 16), range(16, 20)]
    expected = [[start + n for n in part] for start in (0, 20) for part in of_one_chunk]
    assert recording.passes == expected


def test_frames_that_share_a_pass_are_bounded_in_bytes(
    cinema: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = Recording()
    station = replace(cinema.station, batch_images=8, open_pipeline=lambda _document: recording)
    submit(cinema.engine, [add_clip(cinema.engine, 40)], SPOTS)
    monkeypatch.setattr(video_chunk, "MAX_LOAD_BYTES", 3 * 128 * 64 * 3)

    work(station, PACE)

    assert [len(some) for some in recording.passes] == [3, 3, 3, 3, 3, 3, 2] * 2


def test_a_frame_that_breaks_the_model_is_missing_alone(cinema: Workshop) -> None:
    station = replace(cinema.station, batch_images=8, open_pipeline=lambda _document: Stumbling())
    job = submit(cinema.engine, [add_clip(cinema.engine, 60)], SPOTS)

    work(station, PACE)

    (item,) = cinema.engine.jobs.items(job.id, limit=1).items
    assert cinema.engine.jobs.get(job.id).state is JobState.PARTIAL
    assert item.state is ItemState.PARTIAL
    assert seen_frames(cinema.engine, job.id) == [n for n in range(60) if n != 27]
    assert item.video is not None
    assert (item.frames_declared, item.video.frames_done) == (60, 59)
    assert any("frame 27" in warning for warning in item.warnings)


def test_a_file_that_was_cut_short_is_partial_and_says_both_numbers(
    cinema: Workshop, tmp_path: Path
) -> None:
    whole = write_clip(tmp_path / "whole.mp4", range(100), index_first=True).read_bytes()
    cut_short = cinema.engine.blobs.staging / "short.mp4"
    cut_short.write_bytes(whole[: len(whole) * 7 // 10])
    job = submit(cinema.engine, [add_file(cinema.engine, cut_short)], SPOTS)

    work(cinema.station, PACE)

    (item,) = cinema.engine.jobs.items(job.id, limit=1).items
    seen = seen_frames(cinema.engine, job.id)
    assert cinema.engine.jobs.get(job.id).state is JobState.PARTIAL
    assert item.state is ItemState.PARTIAL
    assert item.frames_declared == 100
    assert 40 < len(seen) < 80
    assert seen == list(range(len(seen)))


def test_a_stretch_without_frames_fails_and_says_why(cinema: Workshop) -> None:
    nowhere = {**SPOTS, "sample": {"start_seconds": 1000}}
    job = submit(cinema.engine, [add_clip(cinema.engine, 20)], nowhere)

    work(cinema.station, PACE)

    (item,) = cinema.engine.jobs.items(job.id, limit=1).items
    assert cinema.engine.jobs.get(job.id).state is JobState.FAILED
    assert item.error is not None
    assert item.error.code == "no_frames"


def test_a_video_that_vanished_fails(cinema: Workshop) -> None:
    engine = cinema.engine
    asset = add_clip(engine, 20)
    job = submit(engine, [asset], SPOTS)
    engine.blobs.delete(engine.assets.get(asset).blob_key)

    work(cinema.station, PACE)

    (item,) = engine.jobs.items(job.id, limit=1).items
    assert item.error is not None
    assert item.error.code == "not_found"


def test_frames_are_counted_and_new_chunks_announced(cinema: Workshop) -> None:
    submit(cinema.engine, [add_clip(cinema.engine, 60)], SPOTS)
    frames: list[int] = []
    announced: list[int] = []

    def count(_lease: Lease, more: int) -> None:
        frames.append(more)

    work(cinema.station, PACE, on_frames=count, on_ready=announced.append)

    assert sum(frames) == 60
    assert announced == [3]


def test_progress_inside_a_chunk_is_stored(cinema: Workshop) -> None:
    def slowly(_document: object) -> RunsImages:
        return SpotPipeline(seconds_per_image=0.2)

    engine = cinema.engine
    job = submit(engine, [add_clip(engine, 20)], SPOTS)
    stored: list[int] = []

    def look(_lease: Lease, _more: int) -> None:
        progress = engine.jobs.get(job.id).video
        stored.append(0 if progress is None else progress.frames_done)

    work(replace(cinema.station, open_pipeline=slowly), PACE, on_frames=look)

    assert stored == sorted(stored)
    assert any(0 < frames < 20 for frames in stored)


def test_a_frame_is_found_again_by_what_it_shows() -> None:
    assert [number_of(picture(number)) for number in (0, 1, 4095, 40_000)] == [0, 1, 4095, 40_000]
    assert open_spot_pipeline(SPOTS).run([picture(3)])[0].detections.boxes[0].tolist() == [
        3,
        22,
        15,
        34,
    ]
