"""What Prometheus may ask: requests, upload bytes, and how much work waits."""

from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from vision.domain.stored import QueueSummary
from vision.errors import TemporaryError

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

    def watch_queue(self, ask: Callable[[], QueueSummary]) -> None:
        """From now on every scrape asks the database how much work waits."""
        self.registry.register(_Queue(ask))

    def text(self) -> bytes:
        """The exposition format, version 0.0.4."""
        return generate_latest(self.registry)


class _Queue(Collector):
    """Asked at scrape time; a database that doesn't answer is a number too."""

    def __init__(self, ask: Callable[[], QueueSummary]) -> None:
        self._ask = ask

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        up = GaugeMetricFamily("vision_database_up", "1 when the database answers.")
        try:
            summary = self._ask()
        except TemporaryError:
            up.add_metric([], 0)
            return [up]
        up.add_metric([], 1)
        return [up, *_gauges(summary)]


def _gauges(summary: QueueSummary) -> Iterable[Metric]:
    units = GaugeMetricFamily("vision_units", "Units of work by state.", labels=["state"])
    units.add_metric(["ready"], summary.ready)
    units.add_metric(["leased"], summary.leased)
    units.add_metric(["quarantined"], summary.quarantined)
    age = GaugeMetricFamily(
        "vision_oldest_ready_seconds", "How long the oldest ready unit has waited."
    )
    age.add_metric([], summary.oldest_ready_seconds)
    return (units, age)
