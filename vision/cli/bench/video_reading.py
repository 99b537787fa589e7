"""Reading a recorded video: the separate process against PyAV, sparse frames against OpenCV."""

from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2

from vision.cli.bench.clips import FPS, GOP
from vision.cli.bench.measure import Figure, at_least, interleaved
from vision.domain.video import Frame
from vision.media.decode_process import DecodeProcess
from vision.media.limits import DecodeLimits
from vision.pipelines.document import SampleStage
from vision.pipelines.sampling import cut

LIMITS = DecodeLimits(max_pixels=100_000_000, seconds=20, memory_bytes=2 << 30)
CHUNK_FRAMES = 150
"""The service's default."""
EVERY_FRAME_TARGET = 0.9
SPARSE_TARGETS = {10: 1.1, GOP: 5.0}
"""Every so many frames, and how many times as fast as reading all of them."""
ROUNDS = 3


def run(clip: Path, *, frames: int) -> list[Figure]:
    """Raises ValueError when a way doesn't give the frames it should: missing ones are quick."""
    with DecodeProcess(LIMITS) as process:
        seconds = interleaved(
            {
                "pyav": _counted(lambda: _by_pyav(clip), frames),
                "opencv": _counted(lambda: _by_opencv(clip), frames),
                **{
                    f"every {every}": _counted(_reader(process, clip, every), -(-frames // every))
                    for every in (1, *SPARSE_TARGETS)
                },
            },
            rounds=ROUNDS,
        )
    return [
        at_least(
            "Video decode, 1080p H.264, in its own process, index included",
            ours=_rate(frames, seconds["every 1"]),
            reference=f"PyAV in this process: {_rate(frames, seconds['pyav'])}",
            ratio=seconds["pyav"] / seconds["every 1"],
            target=EVERY_FRAME_TARGET,
        ),
        *(
            at_least(
                f"Every {every}th frame of the same video, a keyframe in {GOP}",
                ours=_rate(frames, seconds[f"every {every}"]),
                reference=f"OpenCV reading all: {_rate(frames, seconds['opencv'])}",
                ratio=seconds["opencv"] / seconds[f"every {every}"],
                target=target,
            )
            for every, target in SPARSE_TARGETS.items()
        ),
    ]


def frames_of(process: DecodeProcess, clip: Path, sample: SampleStage) -> Iterator[Frame]:
    """As a worker reads them: the index, then chunk by chunk."""
    for chunk in cut(process.index(clip), sample, chunk_frames=CHUNK_FRAMES).chunks:
        with process.frames(clip, chunk) as frames:
            yield from frames


def _reader(process: DecodeProcess, clip: Path, every: int) -> Callable[[], int]:
    sample = SampleStage(max_fps=FPS / every)
    return lambda: sum(1 for _ in frames_of(process, clip, sample))


def _by_pyav(clip: Path) -> int:
    with av.open(str(clip)) as file:
        file.streams.video[0].thread_type = "AUTO"
        return sum(len(frame.to_ndarray(format="rgb24")) > 0 for frame in file.decode(video=0))


def _by_opencv(clip: Path) -> int:
    video = cv2.VideoCapture(str(clip))
    try:
        return sum(1 for _ in iter(lambda: video.read()[0], False))
    finally:
        video.release()


def _counted(read: Callable[[], int], expected: int) -> Callable[[], None]:
    def checked() -> None:
        if (count := read()) != expected:
            raise ValueError(f"{count} frames were read, not {expected}")

    return checked


def _rate(frames: int, seconds: float) -> str:
    return f"{frames / seconds:.0f} frames/s of video"
