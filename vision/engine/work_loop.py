"""Claim, decode, infer, store, overlapped, until nothing is ready: what a bell sets going.

decode threads   claim → decode ──► conveyor ──┐          (bounded)
                 claim → probe, follow ────────┼───────┐
drawing thread                   draw ─────────┼───────┤
calling thread                   networks ◄────┘──► finished units
commit thread                                   store ◄────┘
keeper thread    renews leases, notices cancel, drain and stall
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass

from vision.engine.batch_run import INTERNAL_ERROR
from vision.engine.commits import Commits, OnReady, unannounced
from vision.engine.conveyor import Conveyor
from vision.engine.decoding import Decoding
from vision.engine.drawing import Drawing
from vision.engine.follow_states import FollowStates
from vision.engine.in_flight import InFlight
from vision.engine.lease_keeper import LeaseKeeper
from vision.engine.outcomes import OnFrames, OnItem, Outcomes, uncounted, unwatched
from vision.engine.progress import unobserved
from vision.engine.run import Inference
from vision.engine.shift_end import ShiftEnd
from vision.engine.source import Source
from vision.engine.station import Decoder, Pace, Station
from vision.engine.video_unit import VideoUnits
from vision.errors import TemporaryError

IMAGES_AHEAD = 8
"""Decoded and waiting per picture that the networks take at once, at least."""


@dataclass(frozen=True, slots=True)
class WorkDone:
    """What one call of `work` stored."""

    units: int
    images: int
    frames: int = 0
    """Of videos, analysed."""


def never() -> bool:
    """For callers who work until nothing is left."""
    return False


def work(
    station: Station,
    pace: Pace,
    *,
    drain: Callable[[], bool] = never,
    max_seconds: float = float("inf"),
    on_move: Callable[[], None] = unobserved,
    on_item: OnItem = unwatched,
    on_frames: OnFrames = uncounted,
    on_ready: OnReady = unannounced,
) -> WorkDone:
    """Claims and runs until nothing is ready, `drain` says so, or `max_seconds` are over.

    What is claimed by then is finished or given back. Raises StorageUnavailable when the
    database can't be reached; units still held are then left to their leases.
    """
    watched = _Watched(drain, on_move, on_item, on_frames, on_ready)
    return _Shift(station, pace, watched, ends_at=time.monotonic() + max_seconds).run()


@dataclass(frozen=True, slots=True)
class _Watched:
    """Whom to ask and whom to tell."""

    drain: Callable[[], bool]
    on_move: Callable[[], None]
    on_item: OnItem
    on_frames: OnFrames
    on_ready: OnReady


class _Shift:
    """The threads of one call of `work`, and what they share."""

    def __init__(self, station: Station, pace: Pace, watched: _Watched, *, ends_at: float) -> None:
        self._station = station
        self._pace = pace
        self._over = threading.Event()
        self._decoding_left = len(station.decoders)
        self._lock = threading.Lock()
        self._may_be_tried_again = False
        self._in_flight = InFlight(watched.on_move)
        self._conveyor = Conveyor(IMAGES_AHEAD * station.batch_images + len(station.decoders))
        self._commits = Commits(
            station.units,
            self._in_flight,
            states=FollowStates(station.units, station.derived),
            patience_seconds=pace.lease_seconds,
            on_ready=watched.on_ready,
        )
        self._source = self._new_source(ends_at)
        self._outcomes = self._new_outcomes(watched)
        self._keeper = self._new_keeper(watched.drain)
        self._videos = VideoUnits(station, self._in_flight)
        self._drawing = Drawing(station.drawer, self._videos)

    def run(self) -> WorkDone:
        inference = Inference(
            self._station, self._conveyor, in_flight=self._in_flight, outcomes=self._outcomes
        )
        with ThreadPoolExecutor(self._decoding_left + 3, thread_name_prefix="work") as threads:
            decoding = [threads.submit(self._decode, each) for each in self._station.decoders]
            decoding.append(threads.submit(self._drawing.run, self._source, self._outcomes))
            storing = threads.submit(self._store)
            keeping = threads.submit(self._keeper.run, self._over)
            try:
                inference.run()
                self._may_be_tried_again = True
            except (SystemExit, KeyboardInterrupt):
                self._may_be_tried_again = True
                raise
            finally:
                self._end(decoding, storing)
                self._settle([*decoding, storing, keeping])
        commits = self._commits
        return WorkDone(commits.stored_units, commits.stored_images, commits.stored_frames)

    def _decode(self, decoder: Decoder) -> None:
        decoding = Decoding(
            self._station,
            self._source,
            self._conveyor,
            videos=self._videos,
            drawing=self._drawing,
            in_flight=self._in_flight,
            outcomes=self._outcomes,
        )
        try:
            decoding.run(decoder)
        finally:
            with self._lock:
                self._decoding_left -= 1
                if not self._decoding_left:
                    self._conveyor.close()

    def _store(self) -> None:
        try:
            self._commits.run()
        finally:
            self._source.stop()
            self._conveyor.close()

    def _end(self, decoding: Sequence[Future[None]], storing: Future[None]) -> None:
        """In this order, so that whatever was still on its way is stored."""
        self._source.stop()
        self._conveyor.close()
        self._drawing.close()
        # Only what nobody will wait for is still under way: a drawing, or work after an error.
        self._in_flight.interrupt()
        wait(decoding)
        self._commits.close()
        wait([storing])
        self._over.set()

    def _settle(self, threads: Sequence[Future[None]]) -> None:
        """What is still held is given back, or counts as failed if it may be to blame.

        Raises what a thread raised.
        """
        wait(threads)
        error = next((error for thread in threads if (error := thread.exception())), None)
        is_innocent = self._may_be_tried_again if error is None else _is_temporary(error)
        with suppress(TemporaryError):
            for lease in self._in_flight.leases():
                if is_innocent:
                    self._outcomes.give_back(lease, reason=str(error or "the worker ends"))
                else:
                    self._outcomes.unit_broke(lease, INTERNAL_ERROR, retryable=True)
        if error is not None:
            raise error

    def _new_source(self, ends_at: float) -> Source:
        return Source(
            self._station.units,
            self._in_flight,
            owner=self._station.owner,
            lease_seconds=self._pace.lease_seconds,
            has_time=ShiftEnd(self._in_flight, ends_at=ends_at).has_time,
        )

    def _new_outcomes(self, watched: _Watched) -> Outcomes:
        return Outcomes(
            self._station.units,
            self._in_flight,
            self._commits,
            max_fails=self._pace.max_fails,
            on_item=watched.on_item,
            on_frames=watched.on_frames,
        )

    def _new_keeper(self, drain: Callable[[], bool]) -> LeaseKeeper:
        return LeaseKeeper(
            self._station.units,
            pace=self._pace,
            in_flight=self._in_flight,
            outcomes=self._outcomes,
            source=self._source,
            should_drain=drain,
        )


def _is_temporary(error: BaseException) -> bool:
    return isinstance(error, TemporaryError)
