"""Reading a recorded video: the separate process against PyAV, sparse frames against OpenCV."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

import av
import cv2

from vision.cli.bench.clips import FPS, GOP
from vision.cli.bench.measure import Figure, at_least, interleaved
from vision.domain.image import RgbImage
from vision.domain.video import Chunk, Frame
from vision.media.decode_process import DecodeProcess
from vision.media.limits import DecodeLimits
from vision.pipelines.sampling import cut
from vision.pipelines.stages import SampleStage

LIMITS = DecodeLimits(max_pixels=100_000_000, seconds=20, memory_bytes=2 << 30)
CHUNK_FRAMES = 150
"""The service's default."""
WHOLE_TARGET = 0.9
SPARSE_TARGETS = {10: 1.1, GOP: 5.0}
"""Every so many frames, and how many times as fast as reading all of them."""


def run(clip: Path, *, frames: int) -> list[Figure]:
    """Raises ValueError when a way doesn't give the frames it should: missing ones are quick."""
    seconds = _measured(clip, frames)
    return [
        at_least(
            "Video decode, 1080p H.264, in its own process",
            ours=_rate(frames, seconds["ours"]),
            reference=f"PyAV in this process: {_rate(frames, seconds['pyav'])}",
            ratio=seconds["pyav"] / seconds["ours"],
            target=WHOLE_TARGET,
        ),
        *(
            at_least(
                f"Every {every}th frame of the same video, a keyframe in {GOP}; index included",
                ours=_rate(frames, seconds[f"every {every}"]),
                reference=f"OpenCV reading all: {_rate(frames, seconds['opencv'])}",
                ratio=seconds["opencv"] / seconds[f"every {every}"],
                target=target,
            )
            for every, target in SPARSE_TARGETS.items()
        ),
    ]


def _measured(clip: Path, frames: int) -> dict[str, float]:
    with DecodeProcess(LIMITS) as process:
        return interleaved(
            {
                "pyav": _counted(lambda: frames_by_pyav(clip), frames),
                "ours": _counted(_whole(process, clip), frames),
                "opencv": _counted(lambda: _frames_by_opencv(clip), frames),
                **{
                    f"every {every}": _counted(_sparse(process, clip, every), -(-frames // every))
                    for every in SPARSE_TARGETS
                },
            },
        )


def _whole(process: DecodeProcess, clip: Path) -> Callable[[], Iterator[Frame]]:
    chunks = cut(process.index(clip), None, chunk_frames=CHUNK_FRAMES).chunks
    return lambda: _frames(process, clip, chunks)


def _sparse(process: DecodeProcess, clip: Path, every: int) -> Callable[[], Iterator[Frame]]:
    sample = SampleStage(max_fps=FPS / every)

    def read() -> Iterator[Frame]:
        chunks = cut(process.index(clip), sample, chunk_frames=CHUNK_FRAMES).chunks
        return _frames(process, clip, chunks)

    return read


def _frames(process: DecodeProcess, clip: Path, chunks: Sequence[Chunk]) -> Iterator[Frame]:
    for chunk in chunks:
        with process.frames(clip, chunk) as frames:
            yield from frames


def frames_by_pyav(clip: Path) -> Iterator[RgbImage]:
    """As its documentation shows, with all the decoder's threads."""
    with av.open(str(clip)) as file:
        file.streams.video[0].thread_type = "AUTO"
        for frame in file.decode(video=0):
            yield cast(RgbImage, frame.to_ndarray(format="rgb24"))


def _frames_by_opencv(clip: Path) -> Iterator[object]:
    video = cv2.VideoCapture(str(clip))
    try:
        while (shot := video.read())[0]:
            yield shot
    finally:
        video.release()


def _counted(read: Callable[[], Iterator[object]], expected: int) -> Callable[[], None]:
    def checked() -> None:
        if (count := sum(1 for _ in read())) != expected:
            raise ValueError(f"{count} frames were read, not {expected}")

    return checked


def _rate(frames: int, seconds: float) -> str:
    return f"{frames / seconds:.0f} frames/s of video"
