"""SAM 2, EdgeTAM and SAM 3's tracker in our sessions, against upstream's loop on the same files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_video_sams import (
    FAMILIES,
    SIZE,
    TinyFamily,
    box,
    drawn,
    frame,
    identity,
    points,
    spec,
)

from vision.domain.image import RgbImage
from vision.models import video_session_memory
from vision.models.base import ModelIdentity
from vision.models.sam2_video import PromptedFollower, PromptedSession
from vision.models.session_state import packed, unpacked
from vision.models.video import FrameMasks, ObjectPrompt, VideoSession

FRAMES = 64
LATE = drawn(4, left=20, top=20)
assert LATE.mask is not None
PROMPTS: Mapping[int, tuple[list[ObjectPrompt], dict[str, Any]]] = {
    0: (
        [points(7, (12, 10, 1)), points(2, (50, 40, 1))],
        {
            "obj_ids": [7, 2],
            "input_points": [[[[12, 10]], [[50, 40]]]],
            "input_labels": [[[1], [1]]],
        },
    ),
    20: (
        [box(3, 20, 10, 40, 30), box(5, 2, 2, 20, 20)],
        {"obj_ids": [3, 5], "input_boxes": [[[20, 10, 40, 30], [2, 2, 20, 20]]]},
    ),
    30: ([LATE], {"obj_ids": [4], "input_masks": [LATE.mask.bitmap()]}),
    41: (
        [points(5, (12, 10, 1), (30, 30, 0))],
        {"obj_ids": [5], "input_points": [[[[12, 10], [30, 30]]]], "input_labels": [[[1, 0]]]},
    ),
}
"""By step: ours, and the same in upstream's words. The last one corrects a known object."""


@pytest.fixture(scope="module", params=FAMILIES.values(), ids=FAMILIES)
def tiny(request: pytest.FixtureRequest) -> TinyFamily:
    family: TinyFamily = request.param
    return family


@pytest.fixture(scope="module")
def folder(tiny: TinyFamily, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.saved(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def follower(tiny: TinyFamily, folder: Path) -> PromptedFollower:
    return tiny.follower(folder)


def same(found: FrameMasks, expected: tuple[list[int], Sequence[object], Sequence[float]]) -> bool:
    """To the last bit."""
    ids, masks, presence = expected
    order = np.argsort(ids)
    return (
        found.object_ids.tolist() == sorted(ids)
        and list(found.masks) == [masks[place] for place in order]
        and found.presence.tolist() == [presence[place] for place in order]
    )


def test_pruned_session_equals_upstreams_that_forgets_nothing(
    follower: PromptedFollower, tiny: TinyFamily, folder: Path
) -> None:
    # Through the whole memory, with objects that come later and a correction; one goes on.
    session, upstream = follower.start(SIZE), tiny.upstream(folder)

    seen: list[FrameMasks] = []
    for step in range(FRAMES if tiny is FAMILIES["sam2"] else 44):
        prompts, in_their_words = PROMPTS.get(step, ([], {}))
        found = session.feed(frame(step), frame_index=step, prompts=prompts)
        expected = upstream.feed(frame(step), step, **in_their_words)

        assert same(found, expected), step
        seen.append(found)
    _require_signal(seen)
    assert isinstance(session, PromptedSession)
    assert len(upstream.session.processed_frames) == len(seen)
    assert not session._upstream.processed_frames


def _require_signal(seen: Sequence[FrameMasks]) -> None:
    """Random networks could answer the same to everything: then nothing would be compared."""
    areas = {mask.area for found in seen for mask in found.masks}
    assert len(areas) > 15
    assert len(set(seen[-1].presence.tolist())) == 5


def test_session_in_reverse_equals_upstreams(
    follower: PromptedFollower, tiny: TinyFamily, folder: Path
) -> None:
    session, upstream = follower.start(SIZE, reverse=True), tiny.upstream(folder)

    for step in range(FRAMES if tiny is FAMILIES["sam2"] else 24):
        index = 1000 - step
        # No correction: upstream follows forward what comes after a corrected object in a frame.
        prompts, in_their_words = PROMPTS.get(step, ([], {})) if step < 41 else ([], {})
        found = session.feed(frame(step), frame_index=index, prompts=prompts)
        expected = upstream.feed(frame(step), index, reverse=True, **in_their_words)

        assert same(found, expected), step


def test_correction_in_reverse_leaves_the_others_as_they_are(follower: PromptedFollower) -> None:
    corrected, plain = (follower.start(SIZE, reverse=True) for _ in range(2))
    for step in range(8):
        fix = [points(7, (30, 30, 1))] if step == 7 else []
        start = PROMPTS[0][0] if step == 0 else []
        one = corrected.feed(frame(step), frame_index=50 - step, prompts=[*start, *fix])
        other = plain.feed(frame(step), frame_index=50 - step, prompts=start)

    assert one.object_ids.tolist() == [2, 7]
    assert one.presence[0] == other.presence[0]
    assert one.presence[1] != other.presence[1]


def test_left_out_frames_leave_no_hole_in_the_memory(follower: PromptedFollower) -> None:
    dense, sparse = follower.start(SIZE), follower.start(SIZE)

    for step in range(12):
        prompts = PROMPTS[0][0] if step == 0 else []
        one = dense.feed(frame(step), frame_index=step, prompts=prompts)
        other = sparse.feed(frame(step), frame_index=25 * step, prompts=prompts)

        assert one.presence.tolist() == other.presence.tolist()


def test_two_objects_prompted_in_different_ways_equal_each_alone(
    follower: PromptedFollower,
) -> None:
    prompts = [points(7, (12, 10, 1), (14, 12, 1), (40, 40, 0)), box(2, 20, 10, 40, 30), LATE]

    together = follower.start(SIZE).feed(frame(0), frame_index=0, prompts=prompts)
    alone = [follower.start(SIZE).feed(frame(0), frame_index=0, prompts=[p]) for p in prompts]

    assert together.presence.tolist() == [
        one.presence[0] for one in sorted(alone, key=lambda one: one.object_ids[0])
    ]


def held(session: VideoSession) -> int:
    assert isinstance(session, PromptedSession)
    return session.memory.bytes_held


def test_what_a_session_holds_is_flat_to_the_byte(follower: PromptedFollower) -> None:
    session = follower.start(SIZE)
    sizes = []
    for step in range(30):
        session.feed(frame(step % 9), frame_index=step, prompts=PROMPTS[0][0] if not step else [])
        sizes.append(held(session))

    assert len(set(sizes[15:])) == 1
    # 16 vectors and 7 maps of 2 objects, in the tiny networks' sizes.
    assert sizes[-1] < 2**18


def test_prompts_in_very_many_frames_stay_in_bounds(
    follower: PromptedFollower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_session_memory, "PROMPTED_FRAMES", 5)
    monkeypatch.setattr(video_session_memory, "PROMPTED_POINTERS", 9)
    session = follower.start(SIZE)
    sizes, lengths = [], []
    for step in range(24):
        session.feed(frame(step % 9), frame_index=step, prompts=[points(1, (12, 10, 1))])
        sizes.append(held(session))
        lengths.append(len(session.save()))

    assert len(set(sizes[10:])) == 1
    # A few digits of the frames' numbers: a vector alone has 512 bytes.
    assert lengths[-1] - lengths[-10] < 64
    assert isinstance(session, PromptedSession)
    kept = session._upstream.output_dict_per_obj[0]["cond_frame_outputs"]
    assert min(kept) == 0, "the prompt that defines the object stays"


def test_saved_session_has_no_pictures(follower: PromptedFollower) -> None:
    session = follower.start(SIZE)
    session.feed(frame(0), frame_index=0, prompts=PROMPTS[0][0])

    _, tensors = unpacked(session._save())

    assert {name.rsplit(".", 1)[1] for name in tensors} == {
        "object_pointer",
        "maskmem_features",
        "0",
    }


def test_session_of_another_version_of_the_library_is_refused(follower: PromptedFollower) -> None:
    session = follower.start(SIZE)
    session.feed(frame(0), frame_index=0, prompts=PROMPTS[0][0])
    head, tensors = unpacked(session._save())

    with pytest.raises(ValueError, match=r"a session of transformers 4\.0"):
        follower._open(session.course, packed({**head, "library": "transformers 4.0"}, tensors))


@pytest.mark.parametrize("lacking", ["objects", "next_frame"])
def test_session_without_its_parts_is_refused(follower: PromptedFollower, lacking: str) -> None:
    class Poor(PromptedSession):
        def _save(self) -> bytes:
            head, tensors = unpacked(super()._save())
            del head[lacking]
            return packed(head, tensors)

    course = follower.start(SIZE).course
    session = Poor(follower._network, follower._processor, identity(), course)
    session.feed(frame(0), frame_index=0, prompts=PROMPTS[0][0])

    with pytest.raises(ValueError, match="can't be read"):
        follower.resume(session.save())


def test_session_of_other_weights_is_refused(tiny: TinyFamily, folder: Path) -> None:
    one = tiny.load(spec(), folder, identity(sha256="2" * 64))
    other = tiny.load(spec(), folder, identity(sha256="3" * 64))

    with pytest.raises(ValueError, match="a session of tiny"):
        other.resume(one.start(SIZE).save())


def test_half_precision_follows_nearly_the_same(tiny: TinyFamily, folder: Path) -> None:
    half = tiny.load(spec(), folder, ModelIdentity("tiny", "1" * 64, "cpu", "bfloat16"))
    full = tiny.follower(folder)
    sessions = [one.start(SIZE) for one in (half, full)]

    for step in range(3):
        prompts = [*PROMPTS[0][0], LATE] if step == 0 else []
        one, other = (s.feed(frame(step), frame_index=step, prompts=prompts) for s in sessions)

        assert np.abs(one.presence - other.presence).max() < 0.05
    resumed = half.resume(sessions[0].save())
    again, on = (s.feed(frame(4), frame_index=4) for s in (resumed, sessions[0]))
    assert again.masks == on.masks


def test_pictures_may_lie_in_memory_in_any_way(follower: PromptedFollower) -> None:
    read_only = frame(3)
    read_only.setflags(write=False)
    by_columns: RgbImage = np.asfortranarray(frame(3))

    presence = [
        follower.start(SIZE).feed(image, frame_index=0, prompts=PROMPTS[0][0]).presence.tolist()
        for image in (frame(3), read_only, by_columns)
    ]

    assert presence[0] == presence[1] == presence[2]
