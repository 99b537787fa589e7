"""The annotated video: every picture at its time, in its colours, in a file that players take."""

import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import get_args

import av
import numpy as np
import pytest
from av.container import InputContainer

from vision.domain.image import ImageSize, RgbImage
from vision.errors import StorageFull
from vision.media.video_writer import VideoCodec, VideoWriter

SIZE = ImageSize(width=64, height=48)
CODECS = get_args(VideoCodec)
THIRTIETH = Fraction(1, 30)
LIMITED_RANGE, BT709 = 1, 1


def _plain(color: tuple[int, int, int], size: ImageSize = SIZE) -> RgbImage:
    return np.full((size.height, size.width, 3), color, np.uint8)


def _write(
    path: Path,
    pts: Iterable[int],
    time_base: Fraction,
    *,
    codec: VideoCodec = "vp9",
    image: RgbImage | None = None,
) -> None:
    image = _plain((90, 120, 60)) if image is None else image
    with VideoWriter(path, ImageSize.of(image), codec=codec, time_base=time_base) as writer:
        for one in pts:
            writer.write(image, one)


def _opened(path: Path) -> InputContainer:
    return av.open(str(path))


def _times(path: Path) -> list[Fraction]:
    with _opened(path) as file:
        return [frame.pts * frame.time_base for frame in file.decode(video=0)]


TIMES = {
    "constant rate": (Fraction(1, 12800), [512 * n for n in range(20)]),
    "variable rate": (Fraction(1, 90000), [0, 3003, 6006, 60060, 60077, 180000]),
    "begins late": (Fraction(1, 90000), [126_000 + 3600 * n for n in range(8)]),
    "begins below 0": (Fraction(1, 1000), [-80, -40, 0, 40, 1000]),
    "NTSC": (Fraction(1001, 30000), [5, 6, 7, 9]),
    "begins after 14 hours": (Fraction(1, 1_000_000), [50_000_000_000, 50_000_033_367]),
    "slower than 1 a second": (Fraction(3, 1), [0, 1, 5]),
    "one picture": (Fraction(1, 25), [9]),
}


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(("time_base", "pts"), TIMES.values(), ids=TIMES)
def test_the_first_picture_is_at_0_and_others_exactly_as_much_later(
    tmp_path: Path, time_base: Fraction, pts: list[int], codec: VideoCodec
) -> None:
    _write(tmp_path / "a.mp4", pts, time_base, codec=codec)

    assert _times(tmp_path / "a.mp4") == [(one - pts[0]) * time_base for one in pts]


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe")
def test_ffprobe_sees_the_same_times(tmp_path: Path) -> None:
    _write(tmp_path / "a.mp4", [45_000, 48_003, 90_000, 96_000], Fraction(1, 90000))

    question = ["-show_entries", "frame=best_effort_timestamp_time", "-of", "json"]
    command = ["ffprobe", "-v", "error", *question, str(tmp_path / "a.mp4")]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)

    times = [float(frame["best_effort_timestamp_time"]) for frame in answer["frames"]]
    assert times == pytest.approx([0, 3003 / 90000, 0.5, 51_000 / 90000], abs=1e-6)


def test_what_was_taken_off_the_times_can_be_had_back(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", SIZE, codec="vp9", time_base=THIRTIETH) as writer:
        writer.write(_plain((0, 0, 0)), 45)

    assert writer.start_pts == 45
    with _opened(tmp_path / "a.mp4") as file:
        assert file.metadata["comment"] == "0 is 1.500000 s of the source"


def test_the_last_picture_stays_as_long_as_the_one_before_it(tmp_path: Path) -> None:
    _write(tmp_path / "a.mp4", [0, 1, 2], Fraction(1, 1))

    with _opened(tmp_path / "a.mp4") as file:
        stream = file.streams.video[0]
        assert stream.duration is not None
        assert stream.duration * stream.time_base == 3


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(
    "color",
    [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (30, 150, 240)],
    ids=str,
)
def test_colours_come_back(tmp_path: Path, color: tuple[int, int, int], codec: VideoCodec) -> None:
    _write(tmp_path / "a.mp4", range(3), THIRTIETH, codec=codec, image=_plain(color))

    with _opened(tmp_path / "a.mp4") as file:
        frame = next(file.decode(video=0))
    assert (frame.colorspace, frame.color_primaries, frame.color_trc) == (BT709, BT709, BT709)
    assert frame.color_range == LIMITED_RANGE
    back = frame.reformat(format="rgb24", src_colorspace="ITU709", dst_colorspace="ITU709")
    assert np.abs(back.to_ndarray()[20, 20].astype(int) - color).max() <= 4


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(
    ("size", "padded"),
    [((63, 48), (64, 48)), ((64, 47), (64, 48)), ((1, 1), (2, 2)), ((64, 48), (64, 48))],
    ids=str,
)
def test_odd_sides_grow_by_a_copy_of_the_edge(
    tmp_path: Path, size: tuple[int, int], padded: tuple[int, int], codec: VideoCodec
) -> None:
    image = _plain((200, 40, 90), ImageSize(*size))
    _write(tmp_path / "a.mp4", range(2), THIRTIETH, codec=codec, image=image)

    with _opened(tmp_path / "a.mp4") as file:
        frame = next(file.decode(video=0))
    assert (frame.width, frame.height) == padded
    pixels = frame.to_ndarray(format="rgb24").astype(int)
    assert np.abs(pixels[-1, -1] - pixels[0, 0]).max() <= 2


def test_players_find_a_keyframe_every_five_seconds(tmp_path: Path) -> None:
    _write(tmp_path / "a.mp4", range(0, 310, 2), Fraction(1, 10))

    with _opened(tmp_path / "a.mp4") as file:
        keys = [float(frame.time) for frame in file.decode(video=0) if frame.key_frame]
    assert keys[0] == 0
    assert np.diff(keys).max() <= 5.2
    assert len(keys) <= 8


def test_the_index_is_in_front_of_the_pictures(tmp_path: Path) -> None:
    _write(tmp_path / "a.mp4", range(5), THIRTIETH)

    data = (tmp_path / "a.mp4").read_bytes()

    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("pts", [10, 9, -1], ids=["same", "earlier", "below 0"])
def test_times_have_to_ascend(tmp_path: Path, pts: int) -> None:
    with pytest.raises(ValueError, match=f"PTS {pts} after 10"):
        _write(tmp_path / "a.mp4", [10, pts], THIRTIETH)


def test_every_picture_has_the_video_s_size(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", SIZE, codec="vp9", time_base=THIRTIETH) as writer:
        writer.write(_plain((0, 0, 0)), 1)
        with pytest.raises(ValueError, match="width=64"):
            writer.write(np.zeros((48, 66, 3), np.uint8), 2)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("pictures", [0, 1, 40])
def test_a_video_that_was_given_up_is_no_video(
    tmp_path: Path, codec: VideoCodec, pictures: int
) -> None:
    def pictures_until_the_caller_gives_up() -> Iterator[int]:
        yield from range(pictures)
        raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        _write(tmp_path / "a.mp4", pictures_until_the_caller_gives_up(), THIRTIETH, codec=codec)

    assert (tmp_path / "a.mp4").read_bytes() == b""


def test_a_video_of_nothing_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="at least one picture"),
        VideoWriter(tmp_path / "a.mp4", SIZE, codec="vp9", time_base=THIRTIETH),
    ):
        pass

    assert (tmp_path / "a.mp4").read_bytes() == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("pictures", [1, 200], ids=["at the end", "on the way"])
def test_a_full_disk_is_storage_full(pictures: int) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8)

    with pytest.raises(StorageFull, match="disk"):
        _write(Path("/dev/full"), range(pictures), THIRTIETH, image=noise)
