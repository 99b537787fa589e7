"""The queue in numbers, for Prometheus: asked of the database at each scrape, no counting here."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from vision.storage.jobs import JobStore


class QueueCollector(Collector):
    """Register it with a `CollectorRegistry`; a scrape raises StorageUnavailable."""

    def __init__(self, jobs: JobStore) -> None:
        self._jobs = jobs

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing: else registering it would already ask the database."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        summary = self._jobs.active_summary()
        states = {
            "ready": summary.ready,
            "leased": summary.leased,
            "quarantined": summary.quarantined,
        }
        units = GaugeMetricFamily("vision_units", "Units by state.", labels=["state"])
        for state, count in states.items():
            units.add_metric([state], count)
        yield units
        yield GaugeMetricFamily(
            "vision_queue_depth", "Units ready or leased.", summary.ready + summary.leased
        )
        yield GaugeMetricFamily(
            "vision_oldest_ready_seconds",
            "How long the oldest claimable unit has waited.",
            summary.oldest_ready_seconds,
        )
