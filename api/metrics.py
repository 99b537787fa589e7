"""What Prometheus may ask: requests, upload bytes, and how much work waits."""

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from vision.engine.metrics import QueueCollector
from vision.errors import TemporaryError
from vision.storage.jobs import JobStore

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """The numbers of one API process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "vision_http_requests",
            "Answers.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "vision_http_request_seconds",
            "From the first byte of the request to the last of the answer.",
            ("method", "route"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.upload_bytes = Counter(
            "vision_upload_bytes", "Bytes of files received.", registry=self.registry
        )

    def request_ended(self, method: str, route: str, *, status: int, seconds: float) -> None:
        """`route` is the template, never the path: ids would make a series each."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def watch_queue(self, jobs: JobStore) -> None:
        """From now on every scrape asks the database how much work waits."""
        self.registry.register(_Database(QueueCollector(jobs)))

    def text(self) -> bytes:
        """The exposition format, version 0.0.4."""
        return generate_latest(self.registry)


class _Database(Collector):
    """The queue; a database that doesn't answer is a number too, not a failed scrape."""

    def __init__(self, queue: QueueCollector) -> None:
        self._queue = queue

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        is_up = GaugeMetricFamily("vision_database_up", "1 when the database answers.")
        try:
            found = list(self._queue.collect())
        except TemporaryError:
            is_up.add_metric([], 0)
            return [is_up]
        is_up.add_metric([], 1)
        return [is_up, *found]
