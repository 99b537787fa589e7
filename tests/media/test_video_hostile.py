"""Videos that lie, or want to open something else: refused or read, and nothing more."""

import os
import struct
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hostile_videos import (
    OpenWatch,
    avi_with_subtitle,
    listener,
    playlists,
    with_data_reference,
)
from video_files import Clip, number_in, numbered_pictures, write_clip, write_size_change
from video_reading import read_all

from vision.errors import (
    BadMedia,
    DecoderCrashed,
    UnsupportedCodec,
    UnsupportedType,
    VideoTooLarge,
    VideoTooLong,
)
from vision.media.decode_process import DecodeProcess
from vision.media.limits import DecodeLimits

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="inotify")
PLAYLISTS = tuple(playlists(Path("x"), 1))
PREFIXES = {
    "plain": b"",
    "as mp4": b"\x00\x00\x00\x14ftypisom\x00\x00\x02\x00isom",
    "as matroska": b"\x1a\x45\xdf\xa3\x84\x42\x86\x81\x01",
    "as avi": b"RIFF\x00\x01\x00\x00AVI ",
    "as ts": (b"\x47" + bytes(187)) * 3,
    "as ps": b"\x00\x00\x01\xba",
}


def _outcome(call: Callable[[], int]) -> int | BadMedia:
    """What came of it, which must not be the end of the decode process."""
    try:
        return call()
    except DecoderCrashed:
        raise
    except BadMedia as error:
        return error


@linux_only
@pytest.mark.parametrize("prefix", PREFIXES)
def test_no_playlist_opens_a_file_or_a_socket(
    decoder: DecodeProcess, tmp_path: Path, prefix: str
) -> None:
    sibling = write_clip(tmp_path / "sibling.ts", frames=3)
    watch = OpenWatch(sibling)
    with listener() as (port, calls):
        for name, text in playlists(sibling, port).items():
            for suffix in (".m3u8", ".mp4", ".ts"):
                path = tmp_path / f"{name}{suffix}"
                path.write_bytes(PREFIXES[prefix] + text)
                for ask in (decoder.probe, decoder.index):
                    with pytest.raises(BadMedia) as caught:
                        ask(path)
                    assert not isinstance(caught.value, DecoderCrashed)

    assert not calls
    assert not watch.was_opened()


@linux_only
@pytest.mark.parametrize("text", PLAYLISTS)
def test_a_playlist_among_the_subtitles_of_an_avi_is_ignored(
    decoder: DecodeProcess, tmp_path: Path, text: str
) -> None:
    sibling = write_clip(tmp_path / "sibling.ts", frames=3)
    watch = OpenWatch(sibling)
    with listener() as (port, calls):
        path = tmp_path / "gab2.avi"
        path.write_bytes(avi_with_subtitle(playlists(sibling, port)[text]))
        frames, end = read_all(decoder, path)

    assert [number_in(frame.image) for frame in frames] == [0, 1, 2]
    assert end.damage is None
    assert not calls
    assert not watch.was_opened()


@linux_only
@pytest.mark.parametrize("target", ["file:{path}", "{path}", "{name}", "http://127.0.0.1:{port}/"])
def test_a_reference_to_another_file_is_not_followed(
    decoder: DecodeProcess, tmp_path: Path, target: str
) -> None:
    sibling = write_clip(tmp_path / "sibling.mp4", frames=3)
    own = write_clip(tmp_path / "own.mp4", frames=5).read_bytes()
    watch = OpenWatch(sibling)
    with listener() as (port, calls):
        path = tmp_path / "referring.mov"
        named = target.format(path=sibling, name=sibling.name, port=port)
        path.write_bytes(with_data_reference(own, named))
        outcome = _outcome(lambda: len(read_all(decoder, path)[0]))

    assert outcome == 5 or isinstance(outcome, BadMedia)
    assert not calls
    assert not watch.was_opened()


@pytest.mark.parametrize("name", ["%05d.mp4", "-i", "pipe:0", "*.mp4", "concat:a|b", "data:,x"])
def test_a_name_is_only_a_name(
    decoder: DecodeProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write_clip(tmp_path / "clip.mp4", frames=3).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)

    assert decoder.index(Path(name)).facts.frame_count == 3


def test_a_pipe_is_no_file(decoder: DecodeProcess, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "endless.mp4")

    with pytest.raises(UnsupportedType):
        decoder.index(tmp_path / "endless.mp4")


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("ffv1.mkv", {"codec": "ffv1"}),
        ("raw.avi", {"codec": "rawvideo"}),
        ("png.mov", {"codec": "png", "pix_fmt": "rgb24"}),
        ("zmbv.avi", {"codec": "zmbv", "pix_fmt": "bgr0"}),
        ("mpeg1.mpg", {"codec": "mpeg1video"}),
        ("huffyuv.avi", {"codec": "huffyuv", "pix_fmt": "yuv422p"}),
        ("flv1.avi", {"codec": "flv"}),
    ],
)
def test_other_codecs_are_refused_by_name(
    decoder: DecodeProcess, tmp_path: Path, name: str, changes: dict[str, object]
) -> None:
    path = write_clip(tmp_path / name, frames=3, **changes)

    with pytest.raises(UnsupportedCodec):
        decoder.probe(path)


def _limited(**changes: float) -> DecodeProcess:
    limits = {"max_pixels": 50_000, "seconds": 20.0, "memory_bytes": 1 << 30, **changes}
    return DecodeProcess(DecodeLimits(**limits))


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("clip.mp4", "libx264"),
        ("clip.ts", "libx264"),
        ("clip.mkv", "libx265"),
        ("clip.webm", "libvpx-vp9"),
        ("vp9.mp4", "libvpx-vp9"),
        ("clip.avi", "mpeg4"),
    ],
)
def test_too_many_pixels_are_refused_from_the_header(tmp_path: Path, name: str, codec: str) -> None:
    path = write_clip(tmp_path / name, width=320, height=240, frames=3, codec=codec)

    with _limited() as decoder, pytest.raises(VideoTooLarge, match="limit"):
        decoder.probe(path)


def test_frames_that_grow_over_the_limit_are_not_decoded(tmp_path: Path) -> None:
    path = write_size_change(
        tmp_path / "clip.mkv", [Clip(frames=12, width=640, height=480), Clip(frames=12)]
    )

    with _limited() as decoder:
        frames, end = read_all(decoder, path)

    numbers = [number_in(frame.image) for frame in frames]
    assert numbers[:28] == [*range(28)]
    assert set(numbers[30:]) <= set(range(12))
    assert len(frames) <= 30 + 12
    assert end.damage is not None


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.ts", "clip.avi"])
def test_too_long_is_refused(tmp_path: Path, name: str) -> None:
    path = write_clip(tmp_path / name, frames=60)

    with _limited(max_video_seconds=2.0) as decoder, pytest.raises(VideoTooLong):
        decoder.index(path)
    with _limited(max_video_frames=50) as decoder, pytest.raises(VideoTooLong):
        decoder.index(path)
    with _limited(max_video_seconds=3.0, max_video_frames=60) as decoder:
        assert len(decoder.index(path).frames) == 60


def test_a_rate_that_no_camera_has_is_not_believed(decoder: DecodeProcess, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "fast.mp4", fps=Fraction(100_000), frames=50)

    facts = decoder.index(path).facts

    assert (facts.average_fps, facts.real_fps) == (None, None)
    assert facts.frame_count == 50
    assert len(read_all(decoder, path)[0]) == 50


@pytest.mark.parametrize("count", [0, 1, 2**31 - 1, 2**32 - 1])
def test_a_wrong_count_in_the_header_makes_no_room(
    decoder: DecodeProcess, tmp_path: Path, count: int
) -> None:
    path = write_clip(tmp_path / "clip.avi", codec="mjpeg", pix_fmt="yuvj420p", frames=5)
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"strh") + 8 + 32, count)
    path.write_bytes(data)

    index = decoder.index(path)

    assert len(index.frames) == 5
    assert index.frames_declared <= len(data)


@pytest.mark.parametrize("count", [2**31 - 1, 2**32 - 1])
def test_a_table_longer_than_the_file_makes_no_room(
    decoder: DecodeProcess, tmp_path: Path, count: int
) -> None:
    path = write_clip(tmp_path / "clip.mp4", frames=5)
    data = bytearray(path.read_bytes())
    struct.pack_into(">II", data, data.index(b"stsz") + 8, 100, count)
    path.write_bytes(data)

    outcome = _outcome(lambda: len(decoder.index(path).frames))

    assert isinstance(outcome, BadMedia) or outcome < 1000


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1.0, 1e300])
def test_a_length_that_cannot_be_is_not_believed(
    decoder: DecodeProcess, tmp_path: Path, seconds: float
) -> None:
    path = write_clip(tmp_path / "clip.mkv", frames=5)
    data = bytearray(path.read_bytes())
    place = data.index(b"\x44\x89\x88")
    struct.pack_into(">d", data, place + 3, seconds)
    path.write_bytes(data)

    try:
        assert decoder.index(path).facts.duration_seconds == pytest.approx(0.2, abs=0.01)
    except VideoTooLong:
        assert seconds > 1


def test_of_a_thousand_streams_one_is_read(decoder: DecodeProcess, tmp_path: Path) -> None:
    path = tmp_path / "many.mkv"
    clip = Clip(frames=5)
    with av.open(str(path), "w") as file:
        video = file.add_stream("mjpeg", rate=25)
        video.width, video.height, video.pix_fmt = clip.width, clip.height, "yuvj420p"
        others = [file.add_stream("pcm_s16le", rate=8000) for _ in range(300)]
        file.set_chapters(
            [
                {"id": n, "start": n, "end": n + 1, "time_base": Fraction(1, 1000), "metadata": {}}
                for n in range(5_000)
            ]
        )
        for picture in numbered_pictures(clip):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            file.mux(video.encode(frame.reformat(format="yuvj420p")))
        for stream in others:
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 64), np.int16), "s16", "mono")
            sound.sample_rate = 8000
            file.mux(stream.encode(sound))
        file.mux(video.encode(None))

    frames, end = read_all(decoder, path)

    assert [number_in(frame.image) for frame in frames] == [0, 1, 2, 3, 4]
    assert end.damage is None


def test_ten_hours_at_a_low_rate_are_read_like_any_other(
    decoder: DecodeProcess, tmp_path: Path
) -> None:
    path = write_clip(tmp_path / "long.mp4", fps=Fraction(1, 300), frames=120, gop=20)

    index = decoder.index(path)
    still = decoder.still(path, 5 * 3600.0)

    assert index.facts.duration_seconds == pytest.approx(36_000)
    assert number_in(still.image) == 60
