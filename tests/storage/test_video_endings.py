"""How a video ends that is damaged, or of which units gave up: with what it has, and a warning."""

import pytest
from storage_service import PIPELINE
from video_service import (
    FRAMES,
    VideoService,
    chunk_of,
)

from vision.domain.job import (
    ChunkResult,
    Item,
    ItemFailure,
    Job,
    Lease,
)
from vision.domain.states import ItemState, JobState, UnitKind


def _item(videos: VideoService, job: Job, index: int = 0) -> Item:
    return videos.jobs.items(job.id, limit=100).items[index]


def _fail(videos: VideoService, lease: Lease, code: str = "video_corrupt") -> None:
    videos.units.fail(lease, code, "no sense in it", retryable=False)


def _track(videos: VideoService) -> None:
    lease = videos.claim_kind(UnitKind.TRACK)
    assert videos.units.commit(videos.tracked(lease))


def test_video_that_cannot_be_probed_fails_alone(videos: VideoService) -> None:
    job = videos.video_job(2)
    _fail(videos, videos.claim_kind(UnitKind.PROBE), "no_video_stream")
    videos.run()

    ended = videos.jobs.get(job.id)

    assert (ended.state, ended.items_done, ended.items_failed) == (JobState.PARTIAL, 1, 1)
    assert _item(videos, job).error == ItemFailure("no_video_stream", "no sense in it")
    assert _item(videos, job, 1).state == ItemState.DONE


def test_lost_chunk_leaves_the_others_and_a_warning_with_stretch_and_code(
    videos: VideoService,
) -> None:
    job = videos.video_job()
    first, second, third = videos.probed()
    videos.units.commit(chunk_of(third))
    _fail(videos, second, "decode_timeout")
    videos.units.commit(chunk_of(first))
    _track(videos)

    ended, item = videos.jobs.get(job.id), _item(videos, job)

    assert (ended.state, ended.items_done, ended.items_failed) == (JobState.PARTIAL, 1, 0)
    assert (item.state, item.error) == (ItemState.PARTIAL, None)
    assert item.warnings == (
        "20 of 30 frames were analysed",
        "1.000 s to 2.000 s has no results: decode_timeout: no sense in it",
    )
    assert videos.tracks.frame_times(job.id, 0).frame_index.tolist() == [
        *range(10),
        *range(20, 30),
    ]


def test_video_whose_every_chunk_is_lost_has_failed(videos: VideoService) -> None:
    job = videos.video_job()
    for lease in videos.probed()[::-1]:
        _fail(videos, lease, f"code_{lease.chunk}")

    ended, item = videos.jobs.get(job.id), _item(videos, job)

    assert (ended.state, ended.items_failed) == (JobState.FAILED, 1)
    assert (item.state, item.error) == (
        ItemState.FAILED,
        ItemFailure("code_1", "no sense in it"),
    )
    assert ended.error == item.error
    assert videos.claim() == ()


def test_video_of_which_no_frame_could_be_decoded_has_failed(videos: VideoService) -> None:
    job = videos.video_job()
    for lease in videos.probed(2):
        assert videos.units.commit(ChunkResult(lease, (), None, "all blocks are broken"))

    item = _item(videos, job)

    assert item.error == ItemFailure("no_frames", "all blocks are broken")
    assert videos.jobs.get(job.id).state == JobState.FAILED


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)], ids=["forwards", "backwards"])
def test_damage_makes_the_video_partial_with_both_numbers(
    videos: VideoService, order: tuple[int, ...]
) -> None:
    job = videos.video_job()
    leases = videos.probed(damage="the index ends early", lost=5)
    for number in order:
        damage = f"chunk {number + 1} is broken" if number else None
        found = chunk_of(leases[number], frames=FRAMES - number, damage=damage)
        assert videos.units.commit(found)
    _track(videos)

    item = _item(videos, job)

    assert item.state == ItemState.PARTIAL
    assert item.warnings == (
        "27 of 35 frames were analysed",
        "the file is damaged: the index ends early",
        "1.000 s to 2.000 s is damaged: chunk 2 is broken",
        "2.000 s to 3.000 s is damaged: chunk 3 is broken",
    )
    assert item.video is not None
    assert (item.video.frames_done, item.frames_declared, item.video.fraction) == (27, 35, 1.0)


def test_frames_that_are_missing_without_a_word_make_it_partial(videos: VideoService) -> None:
    job = videos.video_job(pipeline=PIPELINE)
    for lease in videos.probed(2):
        assert videos.units.commit(chunk_of(lease, frames=FRAMES - 1))

    item = _item(videos, job)

    assert (item.state, item.warnings) == (
        ItemState.PARTIAL,
        ("18 of 20 frames were analysed",),
    )


def test_warnings_of_a_ruined_video_stay_few(videos: VideoService) -> None:
    job = videos.video_job(pipeline=PIPELINE)
    first, *others = videos.probed(30)
    videos.units.commit(chunk_of(first))
    for lease in others:
        _fail(videos, lease)

    warnings = _item(videos, job).warnings

    assert len(warnings) == 12
    assert warnings[-1] == "19 more stretches are damaged or missing"


def test_lost_tracking_leaves_the_detections_and_says_so(videos: VideoService) -> None:
    job = videos.video_job()
    for lease in videos.probed():
        videos.units.commit(chunk_of(lease))
    _fail(videos, videos.claim_kind(UnitKind.TRACK), "video_too_long")

    item = _item(videos, job)

    assert (item.state, videos.rows(job.id)) == (ItemState.PARTIAL, 30)
    assert item.warnings == ("objects were not followed: video_too_long: no sense in it",)
    assert videos.jobs.get(job.id).state == JobState.PARTIAL
