"""Frames from the last to the first: the same ones, in blocks, and few at a time."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from video_workshop import number_of, write_clip
from workshop import LIMITS

from vision.domain.video import Chunk
from vision.engine import backwards
from vision.engine.backwards import FIRST_BLOCK, BackwardReading
from vision.engine.video_pieces import single_frames
from vision.media.decode_process import DecodeProcess

FRAMES = 45


@pytest.fixture(scope="module")
def decoder() -> Iterator[DecodeProcess]:
    with DecodeProcess(LIMITS) as started:
        yield started


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Groups of 20 frames."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return write_clip(path, range(FRAMES), keyframe_every=20)


def quiet() -> None:
    """For readers whom nobody stops."""


def whole(decoder: DecodeProcess, clip: Path) -> Chunk:
    return single_frames(decoder.index(clip), np.arange(FRAMES))


def seen(decoder: DecodeProcess, clip: Path, chunk: Chunk) -> tuple[list[int], str | None]:
    """What the frames show, and the damage."""
    with BackwardReading(decoder, clip, chunk, on_beat=quiet) as frames:
        return [number_of(frame.image) for frame in frames], frames.damage


def test_every_frame_comes_once_from_the_last_to_the_first(
    decoder: DecodeProcess, clip: Path
) -> None:
    assert seen(decoder, clip, whole(decoder, clip)) == (list(range(FRAMES - 1, -1, -1)), None)


def test_some_frames_come_in_that_order_too(decoder: DecodeProcess, clip: Path) -> None:
    chunk = single_frames(decoder.index(clip), np.array([3, 19, 20, 21, 44]))

    assert seen(decoder, clip, chunk) == ([44, 21, 20, 19, 3], None)


def test_frames_are_read_in_blocks_that_fit(
    decoder: DecodeProcess, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame_bytes = 128 * 64 * 3
    monkeypatch.setattr(backwards, "BLOCK_BYTES", 6 * frame_bytes)
    asked: list[int] = []

    class Recording:
        """The decoder, and how many frames it was asked for at once."""

        def frames(self, source: Path, chunk: Chunk, **_on_beat: object) -> object:
            asked.append(chunk.frames)
            return decoder.frames(source, chunk, on_beat=quiet)

    shown, _ = seen(Recording(), clip, whole(decoder, clip))  # type: ignore[arg-type]

    assert asked == [FIRST_BLOCK, 6, 6, 6, 6, 6, 6, 1]
    assert shown == list(range(FRAMES - 1, -1, -1))


def test_a_frame_that_cannot_be_had_is_told(decoder: DecodeProcess, clip: Path) -> None:
    chunk = whole(decoder, clip)
    assert chunk.wanted is not None
    gone = replace(chunk.wanted[30], pts=chunk.wanted[30].pts + 1)
    spoiled = replace(chunk, wanted=(*chunk.wanted[:30], gone, *chunk.wanted[31:]))

    shown, damage = seen(decoder, clip, spoiled)

    assert shown == [n for n in range(FRAMES - 1, -1, -1) if n != 30]
    assert damage is not None
