"""What a batch knows of its files: filled by the feeder, read by the watcher."""

from dataclasses import dataclass, field

from vision.cli.batch.backend import EarlierWork, FileResult, HashedFile, KnownAsset


@dataclass(slots=True)
class Ledger:
    """One run's."""

    assets: dict[str, tuple[HashedFile, KnownAsset]] = field(default_factory=dict)
    """By name: the file and its asset."""
    bad: dict[str, FileResult] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    """Assets."""
    job_of: dict[str, str] = field(default_factory=dict)
    """By asset."""
    jobs: list[str] = field(default_factory=list)
    """Under way in this run, the oldest first."""
    seconds: dict[str, float] = field(default_factory=dict)
    """By job: how much video its files hold, as far as they are known by now."""
    ended: int = 0
    """Files that no job under way counts: bad, settled earlier, or the same content again."""
    reused: int = 0

    def begin(self, earlier: EarlierWork) -> None:
        self.job_of.update(earlier.job_of)
        self.jobs.extend(earlier.open_jobs)

    def enter_bad(self, result: FileResult) -> None:
        self.bad[result.name] = result
        self.ended += 1

    def enter(self, file: HashedFile, asset: KnownAsset, earlier: EarlierWork) -> bool:
        """Whether its asset has to become an item of a new job."""
        is_first = asset.id not in self.seen
        self.seen.add(asset.id)
        self.assets[file.found.name] = file, asset
        if asset.id in earlier.settled or not is_first:
            self.reused += 1
        job = self.job_of.get(asset.id)
        if job is None and is_first:
            return True
        if job is None or job not in earlier.open_jobs or not is_first:
            self.ended += 1
        else:
            self._add_seconds(job, asset.seconds)
        return False

    def enter_job(self, job: str, assets: list[KnownAsset]) -> None:
        self.job_of.update((asset.id, job) for asset in assets)
        self._add_seconds(job, sum(asset.seconds for asset in assets))
        self.jobs.append(job)

    @property
    def videos(self) -> frozenset[str]:
        """Names."""
        return frozenset(name for name, (_, asset) in self.assets.items() if asset.is_video)

    def _add_seconds(self, job: str, seconds: float) -> None:
        self.seconds[job] = self.seconds.get(job, 0.0) + seconds
