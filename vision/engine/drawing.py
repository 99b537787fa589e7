"""Draws videos beside all else: that takes minutes to hours, and no job should wait for it."""

import threading
from collections import deque

from vision.domain.job import Lease
from vision.engine.blame import blamed
from vision.engine.outcomes import Outcomes
from vision.engine.source import Source
from vision.engine.station import Decoder
from vision.engine.video_unit import VideoUnits

MAX_WAITING = 4
"""Claimed and not begun; who claims one more waits, so that other workers get their share."""


class Drawing:
    """One thread calls `run`, others `put`; `run` ends after `close`."""

    def __init__(self, decoder: Decoder, videos: VideoUnits) -> None:
        self._decoder = decoder
        self._videos = videos
        self._changed = threading.Condition()
        self._waiting: deque[Lease] = deque()
        self._is_closed = False

    def put(self, lease: Lease) -> None:
        """A RENDER unit. Waits while too many wait; without effect once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or len(self._waiting) < MAX_WAITING)
            self._waiting.append(lease)
            self._changed.notify_all()

    def close(self) -> None:
        """What isn't drawn by now isn't begun."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def run(self, source: Source, outcomes: Outcomes) -> None:
        """Raises StorageUnavailable."""
        try:
            while (lease := self._next()) is not None:
                with blamed(lease, source=source, outcomes=outcomes):
                    outcomes.unit_ended(self._videos.result(self._decoder, lease))
        finally:
            # After a failure too: nobody may wait for a thread that has ended.
            self.close()

    def _next(self) -> Lease | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            lease = None if self._is_closed else self._waiting.popleft()
            self._changed.notify_all()
            return lease
