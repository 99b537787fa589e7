"""Which frames come out, and with which pixels."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from video_files import Clip, number_in, numbered, write_clip, write_pictures
from video_reading import chunk_of, chunks_of, read, read_all

from vision.domain.image import RgbImage
from vision.domain.video import Frame
from vision.media.decode_process import DecodeProcess

OPEN_GROUPS = {
    "h264.mp4": {"options": {"x264-params": "open-gop=1:b-adapt=0:bframes=3"}},
    "h264.ts": {"options": {"x264-params": "open-gop=1:b-adapt=0:bframes=3"}},
    "hevc.mp4": {
        "codec": "libx265",
        "options": {"x265-params": "open-gop=1:keyint=12:min-keyint=12:bframes=3:b-adapt=0"},
    },
    "mpeg2.ts": {"codec": "mpeg2video", "options": {"sc_threshold": "1000000000"}},
    "closed.mkv": {},
    "closed.avi": {"b_frames": 0},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}},
    "refresh.mp4": {"options": {"x264-params": "intra-refresh=1"}},
    "edited.mov": {"b_frames": 4},
}


def _same(frames: list[Frame], others: list[Frame]) -> bool:
    return len(frames) == len(others) and all(
        (one.frame_index, one.pts_seconds) == (other.frame_index, other.pts_seconds)
        and np.array_equal(one.image, other.image)
        for one, other in zip(frames, others, strict=True)
    )


@pytest.mark.parametrize("name", OPEN_GROUPS)
def test_every_chunk_holds_what_reading_all_at_once_gives(
    decoder: DecodeProcess, tmp_path: Path, name: str
) -> None:
    path = write_clip(tmp_path / name, frames=48, **OPEN_GROUPS[name])
    frames = decoder.index(path).frames
    sequential, _ = read_all(decoder, path)
    chunks = chunks_of(frames)

    # Backwards, so that nothing is left over from the chunk before.
    for chunk in reversed(chunks):
        part, end = read(decoder, path, chunk)
        assert end.damage is None
        assert _same(part, sequential[chunk.first_index : chunk.first_index + chunk.frames])
    assert len(chunks) > 2


@pytest.mark.parametrize("stride", [1, 5, 10, 12, 30])
@pytest.mark.parametrize("name", ["h264.mp4", "h264.ts", "vp9.webm"])
def test_wanted_frames_are_those_of_reading_all(
    decoder: DecodeProcess, tmp_path: Path, name: str, stride: int
) -> None:
    path = write_clip(tmp_path / name, frames=60, **OPEN_GROUPS[name])
    frames = decoder.index(path).frames
    sequential, _ = read_all(decoder, path)

    chunk = chunk_of(frames, 0, 60, wanted=range(0, 60, stride))
    part, end = read(decoder, path, chunk)

    assert end.damage is None
    assert _same(part, sequential[::stride])


def test_a_far_keyframe_is_reached_by_seeking(decoder: DecodeProcess, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "slow.mkv", frames=60, fps=Fraction(1), gop=6)
    frames = decoder.index(path).frames

    part, end = read(decoder, path, chunk_of(frames, 0, 60, wanted=[0, 25, 56]))

    assert end.damage is None
    assert [number_in(frame.image) for frame in part] == [0, 25, 56]


@pytest.mark.parametrize("seconds", [0.0, 0.5, 0.52, 1.0, 1.16, 99.0, -3.0])
@pytest.mark.parametrize("name", ["h264.mp4", "h264.ts", "closed.mkv", "closed.avi"])
def test_a_still_is_the_frame_shown_at_that_time(
    decoder: DecodeProcess, tmp_path: Path, name: str, seconds: float
) -> None:
    path = write_clip(tmp_path / name, **OPEN_GROUPS[name])
    frames, _ = read_all(decoder, path)
    start = frames[0].pts_seconds if name.endswith(".ts") else 0.0
    shown = [frame for frame in frames if frame.pts_seconds <= start + seconds] or frames[:1]

    still = decoder.still(path, start + seconds)

    assert still.pts_seconds == shown[-1].pts_seconds
    assert np.array_equal(still.image, shown[-1].image)


def test_the_time_of_a_frame_leads_back_to_it(decoder: DecodeProcess, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "ntsc.mp4", fps=Fraction(30_000, 1001), frames=12)
    frames, _ = read_all(decoder, path)

    stills = [decoder.still(path, frame.pts_seconds) for frame in frames]

    assert [still.pts_seconds for still in stills] == [frame.pts_seconds for frame in frames]


@pytest.mark.parametrize(
    ("rotation", "is_mirrored"),
    [
        (0, False),
        (90, False),
        (180, False),
        (270, False),
        (0, True),
        (90, True),
        (180, True),
        (270, True),
    ],
)
def test_frames_are_upright_however_they_are_stored(
    decoder: DecodeProcess, tmp_path: Path, rotation: int, is_mirrored: bool
) -> None:
    clip = Clip(frames=4, rotation=rotation, is_mirrored=is_mirrored)
    stored = [_stored(numbered(n, 160, 120), rotation, is_mirrored=is_mirrored) for n in range(4)]
    sized = Clip(
        frames=4,
        width=stored[0].shape[1],
        height=stored[0].shape[0],
        rotation=rotation,
        is_mirrored=is_mirrored,
    )
    path = write_pictures(tmp_path / "turned.mp4", stored, sized)

    facts = decoder.probe(path)
    frames, end = read_all(decoder, path)

    assert end.damage is None
    assert (facts.size.width, facts.size.height) == (clip.width, clip.height)
    assert [number_in(frame.image) for frame in frames] == [0, 1, 2, 3]
    assert frames[0].image.shape == (120, 160, 3)
    assert _distance(frames[0].image, numbered(0)) < 12
    if not is_mirrored:
        assert facts.rotation == rotation


def _stored(picture: RgbImage, rotation: int, *, is_mirrored: bool) -> RgbImage:
    """What a player must turn clockwise, then mirror, to get the picture."""
    mirrored = picture[:, ::-1] if is_mirrored else picture
    return np.ascontiguousarray(np.rot90(mirrored, rotation // 90))


def _distance(one: RgbImage, other: RgbImage) -> float:
    return float(np.abs(one.astype(np.int16) - other).mean())


BT601, BT709 = 5, 1
LIMITED, FULL = 1, 2
COLORS = {"red": (200, 30, 40), "green": (30, 180, 60), "blue": (40, 50, 210), "grey": (128,) * 3}


@pytest.mark.parametrize("color", COLORS)
@pytest.mark.parametrize("value_range", [LIMITED, FULL], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", [BT601, BT709], ids=["bt601", "bt709"])
def test_colours_follow_the_matrix_and_the_range_of_the_file(
    decoder: DecodeProcess, tmp_path: Path, matrix: int, value_range: int, color: str
) -> None:
    pixels = np.empty((64, 64, 3), np.uint8)
    pixels[:] = COLORS[color]
    clip = Clip(
        frames=1,
        width=64,
        height=64,
        pix_fmt="yuv444p",
        color=(matrix, value_range),
        options={"qp": "0"},
    )
    path = write_pictures(tmp_path / "color.mp4", [pixels], clip)

    frames, _ = read_all(decoder, path)

    assert np.abs(frames[0].image.astype(int) - COLORS[color]).max() <= 3


@pytest.mark.parametrize("height", [480, 720], ids=["bt601 for few lines", "bt709 for many"])
def test_colours_of_a_file_that_names_no_matrix_are_guessed_as_players_do(
    decoder: DecodeProcess, tmp_path: Path, height: int
) -> None:
    pixels = np.empty((height, 64, 3), np.uint8)
    pixels[:] = COLORS["red"]
    named = Clip(
        frames=1,
        width=64,
        height=height,
        color=(BT709 if height == 720 else BT601, LIMITED),
        codec="mpeg4",
        options={"qscale": "1"},
    )
    path = write_pictures(tmp_path / "unnamed.avi", [pixels], named)

    frames, _ = read_all(decoder, path)

    assert np.abs(frames[0].image[8:-8].astype(int) - COLORS["red"]).max() <= 6


PIXELS = {
    "10-bit.mp4": {"pix_fmt": "yuv420p10le"},
    "444.mp4": {"pix_fmt": "yuv444p"},
    "422.mp4": {"pix_fmt": "yuv422p"},
    "odd-444.mp4": {"pix_fmt": "yuv444p", "width": 161, "height": 121},
    "odd-420.webm": {"codec": "libvpx-vp9", "width": 161, "height": 121},
    "one-line.webm": {"codec": "libvpx-vp9", "width": 161, "height": 17},
    "interlaced.mp4": {"options": {"x264-params": "interlaced=1"}},
    "full-range.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "prores.mov": {"codec": "prores_ks", "pix_fmt": "yuv422p10le"},
    "wide-pixels.mp4": {"aspect": Fraction(4, 3)},
}


@pytest.mark.parametrize("name", PIXELS)
def test_pixels_of_every_kind_are_those_that_went_in(
    decoder: DecodeProcess, tmp_path: Path, name: str
) -> None:
    clip = Clip(frames=6, **PIXELS[name])
    path = write_clip(tmp_path / name, clip)

    frames, end = read_all(decoder, path)

    assert end.damage is None
    assert len(frames) == 6
    for n, frame in enumerate(frames):
        assert frame.image.shape == (clip.height, clip.width, 3)
        assert _distance(frame.image, numbered(n, clip.width, clip.height)) < 12


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("interlaced.mp4", "interlaced"),
        ("wide-pixels.mp4", "not square"),
    ],
)
def test_what_pixels_may_surprise_with_is_a_warning(
    decoder: DecodeProcess, tmp_path: Path, name: str, word: str
) -> None:
    warnings = decoder.probe(write_clip(tmp_path / name, frames=3, **PIXELS[name])).warnings

    assert any(word in warning for warning in warnings)


def test_high_dynamic_range_is_a_warning(decoder: DecodeProcess, tmp_path: Path) -> None:
    options = {"x264-params": "transfer=smpte2084:colorprim=bt2020:colormatrix=bt2020nc"}
    path = write_clip(tmp_path / "hdr.mp4", pix_fmt="yuv420p10le", frames=3, options=options)

    assert any("dynamic range" in warning for warning in decoder.probe(path).warnings)
    assert len(read_all(decoder, path)[0]) == 3
