"""Damaged videos: what could be decoded is kept, nothing is made up, both numbers are told."""

from pathlib import Path

import av
import numpy as np
import pytest
from video_files import (
    Clip,
    corrupted,
    number_in,
    truncated,
    write_clip,
    write_nothing,
    write_size_change,
    write_sound,
)
from video_reading import chunks_of, read, read_all

from vision.domain.video import Frame
from vision.errors import (
    BadMedia,
    CorruptVideo,
    DecoderCrashed,
    EmptyFile,
    NoFrames,
    NoVideoStream,
    UnsupportedType,
)
from vision.media.decode_process import DecodeProcess

FAST_START = {"muxer_options": {"movflags": "faststart"}}
CONTAINERS = {
    "clip.mp4": {**FAST_START},
    "fragments.mp4": {"muxer_options": {"movflags": "frag_keyframe+empty_moov"}},
    "clip.mkv": {},
    "clip.ts": {},
    "clip.avi": {"b_frames": 0},
    "reordered.avi": {"codec": "mpeg4", "options": {"qmin": "1", "qmax": "1"}},
    "clip.mpg": {"codec": "mpeg2video"},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}},
}


WITHOUT_PTS = ("reordered.avi", "clip.mpg")


def _require_true(frames: list[Frame], sound: list[Frame]) -> None:
    """Each is exactly the frame that the sound file has at that time."""
    true = {(frame.pts_seconds, frame.image.tobytes()) for frame in sound}
    assert all((frame.pts_seconds, frame.image.tobytes()) in true for frame in frames)


@pytest.mark.parametrize("share", [0.55, 0.7, 0.85])
@pytest.mark.parametrize("name", CONTAINERS)
def test_of_a_file_that_ends_early_all_before_the_end_is_kept(
    decoder: DecodeProcess, tmp_path: Path, name: str, share: float
) -> None:
    path = write_clip(tmp_path / name, frames=60, **CONTAINERS[name])
    sound, _ = read_all(decoder, path)
    short = truncated(path, share)

    index = decoder.index(short)
    frames, end = read_all(decoder, short)

    assert 3 < len(frames) <= len(index.frames) < 60
    assert len(frames) >= len(index.frames) - 2
    assert end.frames == len(frames)
    if name in WITHOUT_PTS:  # after damage, nobody knows the order of the last ones
        frames = frames[:-2]
    _require_true(frames, sound)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.avi"])
def test_a_file_that_ends_early_says_how_many_frames_it_should_have(
    decoder: DecodeProcess, tmp_path: Path, name: str
) -> None:
    path = write_clip(tmp_path / name, frames=120, **CONTAINERS[name])

    index = decoder.index(truncated(path, 0.5))

    assert len(index.frames) < index.frames_declared
    assert index.frames_declared == pytest.approx(120, abs=3)
    assert index.damage


def test_without_its_table_an_mp4_is_corrupt(decoder: DecodeProcess, tmp_path: Path) -> None:
    short = truncated(write_clip(tmp_path / "clip.mp4"), 0.5)

    with pytest.raises(CorruptVideo):
        decoder.index(short)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", CONTAINERS)
def test_of_a_file_with_changed_bytes_no_frame_is_made_up(
    decoder: DecodeProcess, tmp_path: Path, name: str, seed: int
) -> None:
    path = write_clip(tmp_path / name, frames=48, **CONTAINERS[name])
    sound, _ = read_all(decoder, path)
    broken = corrupted(path, places=1, seed=seed, share=(0.3, 0.9))

    frames, end = read_all(decoder, broken)

    assert len(frames) <= 48
    lost = {frame.pts_seconds for frame in sound} - {frame.pts_seconds for frame in frames}
    assert not lost or end.damage or decoder.index(broken).damage
    true_pixels = {frame.image.tobytes() for frame in sound}
    made_up = [frame for frame in frames if frame.image.tobytes() not in true_pixels]
    # Some changes decode without an error: to a decoder they are another film, and VP9 has next
    # to nothing by which it could tell.
    assert len(made_up) <= 14 or name == "vp9.webm"


def test_damage_costs_the_frames_up_to_the_next_keyframe(
    decoder: DecodeProcess, tmp_path: Path
) -> None:
    path = write_clip(tmp_path / "clip.mkv", frames=60, gop=12)
    sound, _ = read_all(decoder, path)
    break_packet(path, 30)

    frames, end = read_all(decoder, path)

    kept = {number_in(frame.image) for frame in frames}
    lost = sorted(set(range(60)) - kept)
    assert lost
    assert len(lost) <= 24
    assert end.damage is not None
    _require_true(frames, sound)


def break_packet(path: Path, number: int) -> None:
    """Where no decoder can take it for picture data: at the length that it begins with."""
    with av.open(str(path)) as file:
        packets = [bytes(packet) for packet in file.demux(video=0) if packet.size]
    data = path.read_bytes()
    start = data.index(packets[number])
    path.write_bytes(data[:start] + b"\xff" * 40 + data[start + 40 :])


def test_a_damaged_file_gives_the_same_in_chunks_as_at_once(
    decoder: DecodeProcess, tmp_path: Path
) -> None:
    path = corrupted(
        write_clip(tmp_path / "clip.mp4", frames=60, **FAST_START), places=3, share=(0.5, 0.8)
    )
    index = decoder.index(path)
    at_once, _ = read_all(decoder, path)

    parts = [frame for one in chunks_of(index.frames) for frame in read(decoder, path, one)[0]]

    assert [frame.frame_index for frame in parts] == [frame.frame_index for frame in at_once]
    assert all(
        np.array_equal(one.image, other.image) for one, other in zip(parts, at_once, strict=True)
    )


def test_frames_of_another_size_are_scaled_and_said(decoder: DecodeProcess, tmp_path: Path) -> None:
    path = write_size_change(tmp_path / "both.ts", [Clip(frames=12, width=320, height=240)])

    frames, end = read_all(decoder, path)

    assert {frame.image.shape for frame in frames} == {(120, 160, 3)}
    assert [number_in(frame.image) for frame in frames] == [*range(30), *range(12)]
    assert end.damage is not None
    assert "another size" in end.damage


def test_sound_alone_has_no_video_stream(decoder: DecodeProcess, tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "sound.mp4")

    for ask in (decoder.probe, decoder.index):
        with pytest.raises(NoVideoStream):
            ask(sound)


@pytest.mark.parametrize("name", ["none.mp4", "none.avi"])
def test_no_frames_are_no_frames(decoder: DecodeProcess, tmp_path: Path, name: str) -> None:
    path = write_nothing(tmp_path / name)

    for ask in (decoder.probe, decoder.index):
        with pytest.raises((NoFrames, NoVideoStream)):
            ask(path)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", EmptyFile),
        (b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00isommp42", CorruptVideo),
        (b"\x1a\x45\xdf\xa3" + bytes(2000), CorruptVideo),
        (b"RIFF\x00\x00\x00\x00AVI " + bytes(2000), CorruptVideo),
        (b"\x47" + bytes(187) + b"\x47" + bytes(187) + b"\x47" + bytes(187), BadMedia),
        (b"\x00\x00\x01\xba" + bytes(2000), BadMedia),
        (b"a film, in words", UnsupportedType),
    ],
    ids=["empty", "mp4", "matroska", "avi", "ts", "ps", "text"],
)
def test_a_head_without_a_body_is_an_error_of_the_file(
    decoder: DecodeProcess, data: bytes, error: type[BadMedia]
) -> None:
    for ask in (decoder.probe, decoder.index):
        with pytest.raises(error) as caught:
            ask(data)
        assert not isinstance(caught.value, DecoderCrashed)


def test_a_picture_is_no_video_and_a_video_no_picture(
    decoder: DecodeProcess, tmp_path: Path
) -> None:
    video = write_clip(tmp_path / "clip.mp4", frames=3)

    with pytest.raises(UnsupportedType):
        decoder.decode(video)
    with pytest.raises(UnsupportedType):
        decoder.index(b"GIF89a" + bytes(100))
