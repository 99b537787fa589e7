"""SAM 3 following what words name, against upstream's loop on the same files."""

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_video_sams import (
    SIZE,
    UpstreamWords,
    frame,
    identity,
    points,
    save_word_follower,
    spec,
)
from transformers.models.sam3_video import modeling_sam3_video as upstream_module

from vision.domain.image import RgbImage
from vision.errors import InvalidRequest
from vision.models import sam3_video, video_session_memory
from vision.models.base import ModelIdentity
from vision.models.sam3_video import FIRST_ID, WordFollower, WordSession, load_sam3_word_follower
from vision.models.video import ConceptFollower, FrameMasks, VideoSession

FRAMES = 64
WORDS = ("cat", "dog")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_word_follower(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def follower(folder: Path) -> WordFollower:
    return load_sam3_word_follower(spec(), folder, identity())


def require_same(found: FrameMasks, upstream: UpstreamWords, image: RgbImage, number: int) -> None:
    """To the last bit; what upstream leaves out has an empty mask with us."""
    shown, presence = upstream.feed(image, number)
    ids = [object_id - FIRST_ID for object_id in found.object_ids.tolist()]
    masks = dict(zip(ids, found.masks, strict=True))
    assert ids == sorted(presence)
    assert {object_id: mask for object_id, mask in masks.items() if mask.area} == shown
    assert found.presence.tolist() == [np.float32(presence[object_id]) for object_id in ids]


def test_pruned_session_equals_upstreams_that_forgets_nothing(
    follower: WordFollower, folder: Path
) -> None:
    session, upstream = follower.start(SIZE, words=WORDS), UpstreamWords(folder, WORDS)

    seen = []
    for number in range(FRAMES):
        found = session.feed(frame(number), frame_index=number)

        require_same(found, upstream, frame(number), number)
        seen.append(found)
    _require_signal(seen, upstream)
    assert len(upstream.session.processed_frames) == FRAMES


def _require_signal(seen: Sequence[FrameMasks], upstream: UpstreamWords) -> None:
    """Objects come later, for both words, and what the detector finds refreshes them."""
    assert len(seen[0]) < len(seen[-1])
    assert len({mask.area for found in seen for mask in found.masks}) > FRAMES / 2
    refreshed = upstream.session.output_dict_per_obj[0]["cond_frame_outputs"]
    assert len(refreshed) > upstream.network.config.tracker_config.max_cond_frame_num


def test_session_in_reverse_equals_upstreams_of_the_frames_in_that_order(
    follower: WordFollower, folder: Path
) -> None:
    session = follower.start(SIZE, words=WORDS, reverse=True)
    upstream = UpstreamWords(folder, WORDS)

    for number in range(20):
        image = frame(90 - number)
        found = session.feed(image, frame_index=9000 - 3 * number)

        require_same(found, upstream, image, number)


def test_duplicates_are_removed_in_a_run(
    follower: WordFollower, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        # As upstream runs where its extension isn't there.
        without.setattr(upstream_module, "cv_utils_kernel", False)
        doubled = follower.start(SIZE, words=["dog"]).feed(frame(0), frame_index=0)

    found = follower.start(SIZE, words=["dog"]).feed(frame(0), frame_index=0)

    assert 0 < len(found) < len(doubled)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a connection was tried")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("no_network")
def test_loading_and_following_open_no_connection(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream_module, "cv_utils_kernel", None)

    follower = load_sam3_word_follower(spec(), folder, identity())
    found = follower.start(SIZE, words=WORDS).feed(frame(0), frame_index=0)

    assert len(found)


def held(session: VideoSession) -> int:
    assert isinstance(session, WordSession)
    return session.memory.bytes_held


def test_what_a_session_holds_is_flat(
    follower: WordFollower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_session_memory, "PROMPTED_POINTERS", 6)
    session = follower.start(SIZE, words=["dog"], max_objects=1)
    sizes, lengths = [], []
    for number in range(48):
        session.feed(frame(number % 8), frame_index=number)
        sizes.append(held(session))
        lengths.append(len(session.save()))

    # It breathes with the frames that are refreshed, and no more.
    assert max(sizes[40:]) == max(sizes[30:40])
    assert max(lengths[40:]) <= max(lengths[30:40]) + 16
    assert isinstance(session, WordSession)
    notes = [getattr(session._upstream, name) for name in sam3_video.PER_FRAME]
    assert not any(notes)
    assert not session._upstream.processed_frames._latest


@pytest.mark.parametrize("limit", [1, 2])
def test_no_more_objects_than_wanted_are_followed(follower: WordFollower, limit: int) -> None:
    session = follower.start(SIZE, words=WORDS, max_objects=limit)

    for number in range(0, 60, 10):
        assert len(session.feed(frame(number), frame_index=number)) <= limit


def test_object_long_out_of_sight_makes_room_for_another(follower: WordFollower) -> None:
    session = follower.start(SIZE, words=["dog"], max_objects=1)
    first = session.feed(frame(0), frame_index=0)
    assert isinstance(session, WordSession)
    session._last_seen[0] -= sam3_video.UNSEEN_FRAMES
    resumed = follower.resume(session.save())

    for one in (session, resumed):
        second = one.feed(frame(1), frame_index=1)
        third = one.feed(frame(2), frame_index=2)

        assert first.object_ids.tolist() == [FIRST_ID]
        assert second.object_ids.tolist() == [FIRST_ID + 1]
        assert third.object_ids.tolist() == [FIRST_ID + 1]


def test_object_that_is_in_sight_stays(follower: WordFollower) -> None:
    session = follower.start(SIZE, words=["dog"], max_objects=1)
    first = session.feed(frame(0), frame_index=0)

    again = session.feed(frame(1), frame_index=1)

    assert again.object_ids.tolist() == first.object_ids.tolist()


def test_words_are_needed(follower: WordFollower) -> None:
    with pytest.raises(ValueError, match="tiny follows what words name: give some"):
        follower.start(SIZE)


def test_pointing_is_refused(follower: WordFollower) -> None:
    session = follower.start(SIZE, words=WORDS)

    with pytest.raises(ValueError, match="not what is pointed at"):
        session.feed(frame(0), frame_index=0, prompts=[points(1, (5, 5, 1))])


def test_words_that_are_too_long_are_refused(follower: WordFollower) -> None:
    with pytest.raises(InvalidRequest, match="is too long for tiny: 62 tokens of 32"):
        follower.start(SIZE, words=["a" * 60])


def test_half_precision_runs_and_resumes(folder: Path) -> None:
    half = load_sam3_word_follower(
        spec(), folder, ModelIdentity("tiny", "1" * 64, "cpu", "bfloat16")
    )
    session = half.start(SIZE, words=WORDS)
    for number in range(3):
        session.feed(frame(number), frame_index=number)
    resumed = half.resume(session.save())

    one, other = (s.feed(frame(3), frame_index=3) for s in (session, resumed))

    assert one.masks == other.masks
    assert len(one)


def test_it_is_a_follower_of_concepts(follower: WordFollower) -> None:
    assert isinstance(follower, ConceptFollower)
    assert follower.memory_bytes > 2**20
