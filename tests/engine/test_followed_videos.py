"""Objects followed by a model through a video in chunks: as if one session had seen it all."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from uuid import UUID

import pytest
from color_follower import ColorFollower
from follow_workshop import (
    BLUE_TOP,
    SIDE,
    SIZE,
    add_scenes,
    blue_at,
    blue_left,
    following,
    masks_of,
    open_color_pipeline,
    red_at,
    rows_of,
    write_scenes,
)
from sqlalchemy import select
from workshop import Workshop, add_file, add_picture, open_workshop, settings_for, submit

from vision.domain.job import Item, Lease
from vision.domain.states import ItemState, JobState, UnitKind
from vision.domain.stored import TrackFilter, UnitKey
from vision.domain.track import TRACKS_PER_ITEM
from vision.domain.video import Chunk, Frame
from vision.engine.station import Pace
from vision.engine.work_loop import WorkDone, work
from vision.errors import Conflict
from vision.models.video import ObjectPrompt, VideoSession
from vision.pipelines.document import parse_pipeline
from vision.pipelines.follow_prompts import prompt_of
from vision.storage.video_tables import derived_blobs

PACE = Pace()
FRAMES = 70


@pytest.fixture
def screening(tmp_path: Path, database_url: str) -> Iterator[Workshop]:
    """A workshop in which colors are followed, in chunks of 20 frames."""
    settings = settings_for(tmp_path / "data", database_url, chunk_frames=20)
    with open_workshop(settings, open_pipeline=open_color_pipeline) as opened:
        yield opened


def run(screening: Workshop, pipeline: Mapping[str, object], *, frames: int = FRAMES) -> UUID:
    job = submit(screening.engine, [add_scenes(screening.engine, frames)], pipeline)
    work(screening.station, PACE)
    return job.id


def the_item(screening: Workshop, job_id: UUID) -> Item:
    (item,) = screening.engine.jobs.items(job_id, limit=1).items
    return item


def frames_of(screening: Workshop, job_id: UUID) -> list[Frame]:
    """All of the job's only video, read at one go."""
    asset = screening.engine.assets.get(the_item(screening, job_id).asset_id)
    decoder = screening.station.decoders[0]
    source = screening.engine.blobs.source(asset.blob_key)
    index = decoder.index(source)
    every = Chunk(
        number=1,
        start_pts=int(index.frames.pts[0]),
        end_pts=None,
        first_index=0,
        time_base=index.frames.time_base,
        frames=len(index.frames),
        seconds=0.0,
        wanted=None,
    )
    with decoder.frames(source, every) as frames:
        return list(frames)


def masks_of_one_session(
    session: VideoSession,
    frames: Sequence[Frame],
    prompts: Mapping[int, Sequence[ObjectPrompt]],
) -> dict[tuple[int, int], str]:
    """What one session says of these frames, by frame and object, where something is in sight."""
    said = {}
    for frame in frames:
        index = frame.frame_index
        found = session.feed(frame.image, frame_index=index, prompts=prompts.get(index, ()))
        pairs = zip(found.object_ids.tolist(), found.masks, strict=True)
        said |= {(index, object_id): mask.counts for object_id, mask in pairs if mask.area}
    return said


def prompts_in(pipeline: Mapping[str, object]) -> dict[int, list[ObjectPrompt]]:
    """By frame."""
    stage = parse_pipeline(pipeline).follow
    assert stage is not None
    found: dict[int, list[ObjectPrompt]] = {}
    for one in stage.objects:
        found.setdefault(round((one.at_seconds or 0) * 10), []).append(prompt_of(one))
    return found


def states_kept(screening: Workshop) -> list[str]:
    """Kinds of the blobs that chunks would begin with."""
    query = select(derived_blobs.c.kind).where(derived_blobs.c.kind.startswith("follow-"))
    with screening.engine.database.read() as connection:
        return sorted(connection.execute(query).scalars())


def test_chunks_give_the_masks_of_one_uninterrupted_session(screening: Workshop) -> None:
    pipeline = following(red_at(0), blue_at(0))

    job_id = run(screening, pipeline)

    frames = frames_of(screening, job_id)
    expected = masks_of_one_session(ColorFollower().start(SIZE), frames, prompts_in(pipeline))
    assert screening.engine.jobs.get(job_id).state is JobState.SUCCEEDED
    assert len(expected) == 2 * FRAMES
    assert masks_of(screening.engine, job_id) == expected
    assert states_kept(screening) == []


def test_rows_say_what_is_where(screening: Workshop) -> None:
    job_id = run(screening, following(red_at(0), blue_at(0)), frames=30)

    rows = rows_of(screening.engine, job_id)

    of_frame = [row for row in rows if row.frame_index == 25]
    assert [(row.label, row.class_id, row.track_id) for row in of_frame] == [
        ("ball", 0, 1),
        ("object", 0, 2),
    ]
    blue = of_frame[1]
    left, top = blue_left(25), BLUE_TOP
    assert blue.box == pytest.approx((left, top, left + SIDE, top + SIDE), abs=2)
    assert blue.score == 1.0
    assert blue.mask is not None
    assert blue.mask.size == SIZE


def test_each_object_is_a_track_with_its_best_moment(screening: Workshop) -> None:
    job_id = run(screening, following(red_at(0), blue_at(12)), frames=45)

    tracks = {
        row.track.track_id: row for row in screening.engine.tracks.stream(TrackFilter(job_id))
    }

    assert {n: row.track.detections for n, row in tracks.items()} == {1: 45, 2: 33}
    assert [tracks[n].track.label for n in (1, 2)] == ["ball", "object"]
    assert tracks[2].track.first_frame == 12
    assert all(row.crop is not None for row in tracks.values())
    parameters = the_item(screening, job_id).track_parameters
    assert parameters is not None
    assert (parameters["algorithm"], parameters["model"]) == ("follow", "color")


def test_frames_before_the_first_prompt_are_not_looked_at(screening: Workshop) -> None:
    pipeline = following(red_at(23), blue_at(41))

    job_id = run(screening, pipeline)

    item = the_item(screening, job_id)
    frames = frames_of(screening, job_id)[23:]
    expected = masks_of_one_session(ColorFollower().start(SIZE), frames, prompts_in(pipeline))
    assert masks_of(screening.engine, job_id) == expected
    assert min(frame for frame, _ in expected) == 23
    assert item.video is not None
    assert (item.video.frames_done, item.video.frames_total, item.frames_declared) == (47, 47, 47)
    assert item.state is ItemState.DONE


def test_a_later_prompt_of_the_same_object_corrects_it(screening: Workshop) -> None:
    pipeline = following(red_at(0), blue_at(35, id=1))

    job_id = run(screening, pipeline)

    frames = frames_of(screening, job_id)
    expected = masks_of_one_session(ColorFollower().start(SIZE), frames, prompts_in(pipeline))
    assert masks_of(screening.engine, job_id) == expected
    tops = [row.box[1] for row in rows_of(screening.engine, job_id)]
    assert max(tops[:35]) < BLUE_TOP - 2 < min(tops[35:])


def test_backward_is_a_session_from_the_end(screening: Workshop) -> None:
    pipeline = following(red_at(66), blue_at(30), direction="backward")

    job_id = run(screening, pipeline)

    session = ColorFollower().start(SIZE, reverse=True)
    frames = frames_of(screening, job_id)[66::-1]
    rows = rows_of(screening.engine, job_id)
    assert masks_of(screening.engine, job_id) == masks_of_one_session(
        session, frames, prompts_in(pipeline)
    )
    seen = [row.frame_index for row in rows if row.track_id == 1]
    assert seen == list(range(67))
    assert states_kept(screening) == []


def test_both_ways_meet_in_one_track(screening: Workshop) -> None:
    pipeline = following(red_at(33), blue_at(50), direction="both")

    job_id = run(screening, pipeline)

    frames, prompts = frames_of(screening, job_id), prompts_in(pipeline)
    later = masks_of_one_session(ColorFollower().start(SIZE), frames[33:], prompts)
    back = ColorFollower().start(SIZE, reverse=True)
    earlier = masks_of_one_session(back, frames[33::-1], {33: prompts[33]})
    item = the_item(screening, job_id)
    assert masks_of(screening.engine, job_id) == {**earlier, **later}
    tracks = [row.track for row in screening.engine.tracks.stream(TrackFilter(job_id))]
    assert [(one.track_id, one.first_frame, one.last_frame) for one in tracks] == [
        (1, 0, 69),
        (2, 50, 69),
    ]
    assert item.state is ItemState.DONE
    assert item.video is not None
    assert (item.video.frames_done, item.video.frames_total, item.frames_declared) == (70, 70, 70)
    assert item.video.seconds_done == pytest.approx(7.0)


def test_a_prompt_means_the_sampled_frame_that_is_shown_then(screening: Workshop) -> None:
    # Between the frames at 0.9 and 1.2 s; the square is where it is in the earlier one.
    red = {**red_at(9), "at_seconds": 1.1}
    pipeline = {**following(red), "sample": {"every_seconds": 0.3}}

    job_id = run(screening, pipeline)

    assert [row.frame_index for row in rows_of(screening.engine, job_id)] == [*range(9, 70, 3)]


def test_a_detector_says_what_is_followed(screening: Workshop) -> None:
    follow = {"model": "color", "seed_seconds": 1.5, "direction": "both"}
    detect = {"model": "colors", "min_score": 0.1}
    pipeline = parse_pipeline({"detect": detect, "follow": follow}).normal_form

    job_id = run(screening, pipeline, frames=45)

    rows = rows_of(screening.engine, job_id)
    named = {(row.track_id, row.label, row.class_id) for row in rows}
    assert named == {(1, "red thing", 1), (2, "blue thing", 2)}
    assert len(rows) == 2 * 45
    provenance = screening.engine.jobs.get(job_id).provenances[0]
    assert [stage["stage"] for stage in provenance["stages"]] == ["detect", "follow"]


def test_no_more_than_the_detectors_best_are_followed(screening: Workshop) -> None:
    stages = {"detect": {"model": "colors"}, "follow": {"model": "color", "max_objects": 1}}

    job_id = run(screening, parse_pipeline(stages).normal_form, frames=30)

    assert {row.label for row in rows_of(screening.engine, job_id)} == {"red thing"}


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_words_are_followed_from_end_to_end(screening: Workshop, direction: str) -> None:
    job_id = run(screening, following(text=["blue", "red"], direction=direction), frames=45)

    rows = rows_of(screening.engine, job_id)

    assert {(row.label, row.class_id) for row in rows} == {("blue", 0), ("red", 1)}
    assert sorted({row.frame_index for row in rows}) == list(range(45))
    assert len({row.track_id for row in rows}) == 2


def test_an_image_is_a_video_of_one_frame(screening: Workshop) -> None:
    engine = screening.engine
    # A picture of one color everywhere; and the video after it in the same job.
    assets = [add_picture(engine, 200, size=(128, 64)), add_scenes(engine, 25)]
    job = submit(engine, assets, following(red_at(0), blue_at(12)))

    done = work(screening.station, PACE)

    rows = rows_of(engine, job.id)
    image = [row for row in rows if row.item == 0]
    assert done == WorkDone(units=5, images=1, frames=25)
    assert engine.jobs.get(job.id).state is JobState.SUCCEEDED
    assert [(row.label, row.box) for row in image] == [("ball", (0, 0, 128, 64))]
    assert {row.track_id for row in rows if row.item == 1} == {
        TRACKS_PER_ITEM + 1,
        TRACKS_PER_ITEM + 2,
    }


@pytest.mark.parametrize(
    ("objects", "reason"),
    [
        ([red_at(200)], "no analysed frame is shown at 20 s"),
        ([{**red_at(0), "points": [[129, 5, 1]]}], "object 1 is pointed at outside of the frames"),
        ([{**red_at(0), "at_seconds": 0.01}, red_at(0)], "object 1 is pointed at twice in the"),
    ],
    ids=["after the end", "outside", "twice in one frame"],
)
def test_prompts_that_do_not_fit_the_video_are_told(
    screening: Workshop, objects: list[dict[str, object]], reason: str
) -> None:
    job_id = run(screening, following(*objects), frames=20)

    error = the_item(screening, job_id).error

    assert error is not None
    assert error.code == "invalid_request"
    assert reason in error.detail


def test_other_stages_look_at_what_is_followed(screening: Workshop) -> None:
    embed = {"embed": {"model": "mean", "of": "detections"}}
    pipeline = parse_pipeline({**following(red_at(0), blue_at(0)), **embed}).normal_form

    job_id = run(screening, pipeline, frames=25)

    assert the_item(screening, job_id).embeddings == 2 * 25


def test_a_chunk_waits_for_the_one_before_it(screening: Workshop) -> None:
    engine = screening.engine
    submit(engine, [add_scenes(engine, FRAMES)], following(red_at(0), blue_at(0)))
    at_once: list[int] = []

    def look(lease: Lease, _frames: int) -> None:
        at_once.append(engine.units.ready_count())
        assert lease.kind is UnitKind.CHUNK

    announced: list[int] = []
    work(screening.station, PACE, on_frames=look, on_ready=announced.append)

    assert set(at_once) == {0}
    assert announced == [1]


def test_the_beginning_of_a_chunk_is_what_the_one_before_left(screening: Workshop) -> None:
    engine = screening.engine
    submit(engine, [add_scenes(engine, FRAMES)], following(red_at(0)))
    kept: list[list[str]] = []

    work(screening.station, PACE, on_frames=lambda _lease, _n: kept.append(states_kept(screening)))

    chunks = [kept[n] for n in (0, 20, 40, 60)]
    assert chunks == [[], ["follow-2"], ["follow-3"], ["follow-4"]]


def test_tracks_of_a_model_are_not_made_by_another_algorithm(screening: Workshop) -> None:
    job_id = run(screening, following(red_at(0)), frames=20)

    with pytest.raises(Conflict, match="follows objects by a model"):
        screening.engine.submissions.retrack(job_id, {})


def test_a_cancelled_video_keeps_no_states(screening: Workshop) -> None:
    engine = screening.engine
    job = submit(engine, [add_scenes(engine, FRAMES)], following(red_at(0)))

    def cancel(lease: Lease, _frames: int) -> None:
        if UnitKey.of(lease).chunk == 3:
            engine.jobs.cancel(job.id)

    work(screening.station, PACE, on_frames=cancel)

    assert engine.jobs.get(job.id).state is JobState.CANCELLED
    assert states_kept(screening) == []
    assert {row.frame_index for row in rows_of(engine, job.id)} == set(range(40))


def test_what_a_cut_file_has_is_followed(screening: Workshop, tmp_path: Path) -> None:
    engine = screening.engine
    whole = write_scenes(tmp_path / "whole.mp4", 100, index_first=True).read_bytes()
    cut_short = engine.blobs.staging / "short.mp4"
    cut_short.write_bytes(whole[: len(whole) * 6 // 10])
    job = submit(engine, [add_file(engine, cut_short)], following(red_at(0)))

    work(screening.station, PACE)

    item = the_item(screening, job.id)
    seen = [row.frame_index for row in rows_of(engine, job.id)]
    assert item.state is ItemState.PARTIAL
    assert item.frames_declared == 100
    assert 20 < len(seen) < 90
    assert seen == list(range(len(seen)))
