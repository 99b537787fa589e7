"""A video with its results drawn on it: made on demand, kept, playable, true in time."""

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import av
import numpy as np
import pytest
from video_workshop import (
    FOLLOWED,
    HEIGHT,
    SPOTS,
    WIDTH,
    SpotPipeline,
    add_clip,
    found_in,
    number_of,
    picture,
    seen_frames,
    write_clip,
)
from workshop import LIMITS, Workshop, in_background, submit

from vision.domain.findings import Findings
from vision.domain.image import RgbImage
from vision.domain.job import Lease
from vision.domain.states import JobState, UnitState
from vision.engine.render import AnalysedFrame, render
from vision.engine.station import Pace
from vision.engine.work_loop import work
from vision.errors import NoFrames
from vision.media.decode_process import DecodeProcess
from vision.media.overlay import Overlay

PACE = Pace()


def frames_of(path: Path) -> list[tuple[float, RgbImage]]:
    with av.open(str(path)) as file:
        return [
            (float(frame.time), frame.to_ndarray(format="rgb24"))
            for frame in file.decode(video=0)
            if frame.time is not None
        ]


def rendered(cinema: Workshop, job_id: UUID, asset_id: UUID) -> Path:
    state = cinema.engine.jobs.render(job_id, asset_id, "default")
    assert state is not None
    assert state.state is UnitState.DONE
    assert state.blob_key is not None
    path = cinema.engine.blobs.source(state.blob_key)
    assert not isinstance(path, bytes)
    assert state.size_bytes == path.stat().st_size
    assert state.media_type == "video/mp4"
    return path


def is_coloured(image: RgbImage) -> bool:
    """The clip itself is black and white."""
    return bool((image.max(axis=2).astype(int) - image.min(axis=2) > 60).any())


def test_every_frame_is_drawn_at_its_time(cinema: Workshop) -> None:
    engine = cinema.engine
    asset = add_clip(engine, 45)
    job = submit(engine, [asset], FOLLOWED)
    work(cinema.station, PACE)

    engine.jobs.request_render(job.id, asset, "default")
    work(cinema.station, PACE)

    frames = frames_of(rendered(cinema, job.id, asset))
    assert engine.jobs.get(job.id).state is JobState.SUCCEEDED
    assert [seconds for seconds, _ in frames] == pytest.approx([n / 10 for n in range(45)])
    assert all(image.shape == (HEIGHT, WIDTH, 3) for _, image in frames)
    assert all(is_coloured(image) for _, image in frames)


def test_only_the_analysed_stretch_is_drawn(cinema: Workshop) -> None:
    engine = cinema.engine
    asset = add_clip(engine, 60)
    sample = {"every_seconds": 0.5, "start_seconds": 1.2, "end_seconds": 4}
    job = submit(engine, [asset], {**SPOTS, "sample": sample})
    work(cinema.station, PACE)

    engine.jobs.request_render(job.id, asset, "default")
    work(cinema.station, PACE)

    frames = frames_of(rendered(cinema, job.id, asset))
    assert [seconds for seconds, _ in frames] == pytest.approx([n / 10 for n in range(28)])


def test_a_drawing_that_lost_its_lease_leaves_no_file_behind(cinema: Workshop) -> None:
    engine = cinema.engine
    asset = add_clip(engine, 3000)
    job = submit(engine, [asset], {**SPOTS, "sample": {"every_seconds": 10}})
    work(cinema.station, PACE)
    engine.jobs.request_render(job.id, asset, "default")
    working = in_background(work, cinema.station, PACE)
    while not list(engine.blobs.staging.iterdir()):
        time.sleep(0.01)

    engine.units.expire_owner("tester/")
    engine.units.reap()
    while list(engine.blobs.staging.iterdir()):
        time.sleep(0.01)
    state = engine.jobs.render(job.id, asset, "default")
    working.join(60)

    assert state is not None
    assert not working.is_alive()


def test_the_command_line_draws_without_a_database(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", range(30))
    analysed = [
        AnalysedFrame(index / 10, Overlay(found_in(picture(index)))) for index in range(5, 30, 10)
    ]
    told: list[tuple[int, int]] = []

    with DecodeProcess(LIMITS) as decoder:
        count = render(
            decoder,
            clip,
            iter(analysed),
            path=tmp_path / "out.mp4",
            codec="vp9",
            on_frame=lambda done, total: told.append((done, total)),
        )

    frames = frames_of(tmp_path / "out.mp4")
    assert count == len(frames) == 25
    assert told[-1] == (25, 25)
    # The box stands where the square was in the last analysed frame, until the next one.
    first, just_before_next, at_next = (frames[n][1] for n in (0, 9, 10))
    assert box_column(first) == box_column(just_before_next)
    assert box_column(at_next) > box_column(first)


def box_column(image: RgbImage) -> int:
    """Where the coloured box in the upper lane begins."""
    lane = image[18:38].astype(int)
    colour = (lane.max(axis=2) - lane.min(axis=2)).max(axis=0)
    return int(np.flatnonzero(colour > 60)[0])


def test_nothing_analysed_is_nothing_to_draw(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", range(5))

    with DecodeProcess(LIMITS) as decoder, pytest.raises(NoFrames):
        render(decoder, clip, [], path=tmp_path / "out.mp4", codec="vp9")


def test_a_number_survives_encoding(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [0, 1, 255, 40_000])

    assert [number_of(image) for _, image in frames_of(clip)] == [0, 1, 255, 40_000]


def test_a_drawing_in_the_middle_of_other_work_holds_no_job_open(cinema: Workshop) -> None:
    engine = cinema.engine
    asset = add_clip(engine, 20)
    job = submit(engine, [asset], SPOTS)
    work(cinema.station, PACE)
    engine.jobs.request_render(job.id, asset, "default")
    assert engine.jobs.get(job.id).state is JobState.SUCCEEDED
    other = submit(engine, [add_clip(engine, 40)], SPOTS)

    work(replace(cinema.station, open_pipeline=lambda _document: SpotPipeline()), PACE)

    assert engine.jobs.get(other.id).state is JobState.SUCCEEDED
    assert rendered(cinema, job.id, asset).stat().st_size > 0


class Interrupting(SpotPipeline):
    """Is interrupted at the last frame, as by Ctrl-C."""

    def run(self, images: Sequence[RgbImage]) -> list[Findings]:
        if any(number_of(image) == 19 for image in images):
            raise KeyboardInterrupt
        return super().run(images)


def test_a_worker_that_is_interrupted_stops_drawing_and_gives_it_back(cinema: Workshop) -> None:
    engine = cinema.engine
    asset = add_clip(engine, 20_000, keyframe_every=100)
    drawn = submit(engine, [asset], {**SPOTS, "sample": {"every_seconds": 500}})
    work(cinema.station, PACE)
    submit(engine, [add_clip(engine, 20)], SPOTS)

    def ask_for_drawing(_lease: Lease, _frames: int) -> None:
        engine.jobs.request_render(drawn.id, asset, "default")

    with pytest.raises(KeyboardInterrupt):
        work(
            replace(cinema.station, open_pipeline=lambda _document: Interrupting(0.1)),
            PACE,
            on_frames=ask_for_drawing,
        )

    state = engine.jobs.render(drawn.id, asset, "default")
    assert state is not None
    assert state.state is UnitState.READY
    assert list(engine.blobs.staging.iterdir()) == []


def test_jobs_do_not_wait_for_a_long_drawing(cinema: Workshop) -> None:
    engine = cinema.engine
    asset = add_clip(engine, 20_000, keyframe_every=100)
    drawn = submit(engine, [asset], {**SPOTS, "sample": {"every_seconds": 500}})
    work(cinema.station, PACE)
    engine.jobs.request_render(drawn.id, asset, "default")
    other = submit(engine, [add_clip(engine, 40)], SPOTS)
    drain = threading.Event()

    def stop_after_the_other(_lease: Lease, _frames: int) -> None:
        if len(seen_frames(engine, other.id)) >= 20:
            drain.set()

    done = work(cinema.station, PACE, drain=drain.is_set, on_frames=stop_after_the_other)

    state = engine.jobs.render(drawn.id, asset, "default")
    assert done.frames >= 20
    assert state is not None
    assert state.state is UnitState.READY
    assert list(engine.blobs.staging.iterdir()) == []
