"""When frames are shown: by their timestamps, as ffprobe has them, whatever the file is like."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from video_files import Clip, number_in, with_edit_list, write_clip
from video_reading import ffprobe_times, needs_ffprobe, read_all

from vision.media.decode_process import DecodeProcess

UNEVEN = (0, 40, 55, 120, 121, 300, 340, 380, 500, 1000)
SHARP = {"qmin": "1", "qmax": "1"}
CLIPS = {
    "constant.mp4": {},
    "no-b-frames.mp4": {"b_frames": 0},
    "deep-b-frames.mp4": {"b_frames": 8, "options": {"x264-params": "b-pyramid=2:b-adapt=0"}},
    "uneven.mp4": {"pts": UNEVEN, "frames": len(UNEVEN), "time_base": Fraction(1, 1000)},
    "uneven.mkv": {"pts": UNEVEN, "frames": len(UNEVEN), "time_base": Fraction(1, 1000)},
    "ntsc.mp4": {"fps": Fraction(30_000, 1001)},
    "turned.mp4": {"rotation": 90},
    "fragments.mp4": {"muxer_options": {"movflags": "frag_keyframe+empty_moov"}},
    "quicktime.mov": {},
    "matroska.mkv": {},
    "transport.ts": {},
    "open-groups.mp4": {"options": {"x264-params": "open-gop=1"}},
    "intra-refresh.mp4": {"options": {"x264-params": "intra-refresh=1"}},
    "vp8.webm": {"codec": "libvpx", "options": {"auto-alt-ref": "1", "lag-in-frames": "16"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}},
    "mpeg2.ts": {"codec": "mpeg2video"},
    "mpeg2.mpg": {"codec": "mpeg2video", "width": 640, "height": 480, "options": SHARP},
    "mpeg4.avi": {"codec": "mpeg4"},
    "h264.avi": {},
    "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "av1.mp4": {"codec": "libsvtav1", "options": {"preset": "12"}},
    "hevc.mp4": {"codec": "libx265", "options": {"preset": "ultrafast"}},
    "prores.mov": {"codec": "prores_ks", "pix_fmt": "yuv422p10le"},
}
WITHOUT_PTS = ("mpeg2.mpg", "mpeg4.avi", "h264.avi")


@pytest.fixture(params=CLIPS)
def clip(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write_clip(tmp_path / request.param, **CLIPS[request.param])


def test_frames_come_in_order_with_the_times_and_places_of_the_index(
    decoder: DecodeProcess, clip: Path
) -> None:
    index = decoder.index(clip)
    frames, end = read_all(decoder, clip)

    assert end.damage is None
    assert index.damage is None
    assert len(frames) == index.frames_declared == end.frames == index.facts.frame_count
    assert [frame.frame_index for frame in frames] == list(range(len(frames)))
    assert [frame.pts_seconds for frame in frames] == index.frames.seconds().tolist()
    if "turned" not in clip.name:
        assert [number_in(frame.image) for frame in frames] == list(range(len(frames)))


@needs_ffprobe
def test_times_are_those_of_ffprobe(decoder: DecodeProcess, clip: Path) -> None:
    times = decoder.index(clip).frames.seconds()
    known = ffprobe_times(clip)

    if clip.name in WITHOUT_PTS:  # of the last ones, ffprobe knows no times
        known = [one for one in known if one is not None]
    assert times[: len(known)] == pytest.approx(known, abs=1e-6)
    assert len(times) - len(known) <= (2 if clip.name in WITHOUT_PTS else 0)


@pytest.mark.parametrize("skip", [Fraction(1), Fraction(12, 25), Fraction(1, 25)])
def test_what_an_edit_list_cuts_off_is_no_frame(
    decoder: DecodeProcess, tmp_path: Path, skip: Fraction
) -> None:
    path = with_edit_list(write_clip(tmp_path / "clip.mp4", frames=40), skip=skip, clip=Clip())
    index = decoder.index(path)
    frames, end = read_all(decoder, path)

    hidden = int(skip * 25)
    assert index.frames_declared == len(frames) == len(index.frames) == 40 - hidden
    assert (index.damage, end.damage) == (None, None)
    assert [number_in(frame.image) for frame in frames] == list(range(hidden, 40))
    assert index.facts.start_seconds == frames[0].pts_seconds == 0


@needs_ffprobe
def test_times_behind_an_edit_list_are_those_of_ffprobe(
    decoder: DecodeProcess, tmp_path: Path
) -> None:
    path = with_edit_list(write_clip(tmp_path / "clip.mp4"), skip=Fraction(3, 5), clip=Clip())

    times = decoder.index(path).frames.seconds().tolist()

    assert times == pytest.approx(ffprobe_times(path), abs=1e-6)


def test_times_need_not_begin_at_zero(decoder: DecodeProcess, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "late.mkv", pts=[n + 250 for n in range(30)])

    index = decoder.index(path)

    assert index.facts.start_seconds == index.frames.seconds()[0] == 10.0
    assert index.facts.duration_seconds == pytest.approx(1.2, abs=0.01)


@needs_ffprobe
def test_a_block_before_zero_is_where_ffprobe_sees_it(
    decoder: DecodeProcess, tmp_path: Path
) -> None:
    path = write_clip(tmp_path / "clip.mkv", codec="mjpeg", pix_fmt="yuvj420p", frames=5)
    data = bytearray(path.read_bytes())
    first_block = data.index(b"\xa3", data.index(b"\x1f\x43\xb6\x75"))
    place = data.index(b"\x81\x00\x00\x80", first_block)
    data[place + 1 : place + 3] = (-40).to_bytes(2, "big", signed=True)
    path.write_bytes(data)

    frames, end = read_all(decoder, path)

    assert end.damage is None
    assert [frame.pts_seconds for frame in frames] == ffprobe_times(path)


def test_frames_that_share_a_time_are_all_there(decoder: DecodeProcess, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mkv", codec="mjpeg", pix_fmt="yuvj420p", frames=5)
    data = bytearray(path.read_bytes())
    place = data.index(b"\x81\x00\x50\x80")  # a block at 80 ms
    data[place + 1 : place + 3] = (40).to_bytes(2, "big", signed=True)
    path.write_bytes(data)

    frames, end = read_all(decoder, path)

    assert end.damage is None
    assert [frame.frame_index for frame in frames] == [0, 1, 2, 3, 4]
    assert [number_in(frame.image) for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.pts_seconds for frame in frames] == [0.0, 0.04, 0.04, 0.12, 0.16]


def test_the_index_counts_keyframes_in_order_of_presentation(
    decoder: DecodeProcess, tmp_path: Path
) -> None:
    path = write_clip(tmp_path / "clip.mp4", frames=40, gop=12)

    frames = decoder.index(path).frames

    assert np.flatnonzero(frames.is_keyframe).tolist() == [0, 12, 24, 36]


def test_facts_tell_rates_and_length_of_uneven_frames(
    decoder: DecodeProcess, tmp_path: Path
) -> None:
    path = write_clip(
        tmp_path / "clip.mp4", pts=UNEVEN, frames=len(UNEVEN), time_base=Fraction(1, 1000)
    )

    facts = decoder.index(path).facts

    assert facts.duration_seconds is not None
    assert facts.average_fps == pytest.approx(len(UNEVEN) / facts.duration_seconds)
    assert facts.duration_seconds >= 1.0
    assert (facts.container, facts.codec, facts.rotation) == ("mp4", "h264", 0)
