"""Chunks of a video in which objects are followed: in chains, from where they are pointed at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from vision.domain.chain import Link, Prompted
from vision.domain.video import Chunk, VideoIndex
from vision.errors import InvalidRequest
from vision.pipelines.follow_prompts import require_inside
from vision.pipelines.sampling import Chosen, Cut, choose
from vision.pipelines.stages import FollowStage, SampleStage


def cut_to_follow(
    index: VideoIndex,
    sample: SampleStage | None,
    stage: FollowStage,
    *,
    is_seeded: bool,
    chunk_frames: int,
) -> Cut:
    """As `cut`, each chunk with its link. `is_seeded`: a detector says what is followed.

    Frames on the other side of where following begins are in no chunk. Both ways are two chains;
    the frame in which they meet is shown first in both, and its results are those of the one that
    goes forward. Raises NoFrames, and InvalidRequest for prompts that don't fit the video.
    """
    require_inside(stage.objects, index.facts.size)
    plan = _Plan.of(choose(index, sample), stage, is_seeded=is_seeded)
    if stage.direction == "backward":
        return Cut(plan.backward(chunk_frames, is_lead=False), plan.start + 1)
    forward = plan.chosen.since(plan.start).frames_declared
    if stage.direction == "forward" or plan.start == 0:
        return Cut(plan.forward(chunk_frames, before=0), forward)
    earlier = plan.backward(chunk_frames, is_lead=True)
    later = plan.forward(chunk_frames, before=len(earlier))
    return Cut(earlier + later, plan.start + forward)


@dataclass(frozen=True, slots=True)
class _Plan:
    chosen: Chosen
    start: int
    """Place among the chosen frames at which following begins."""
    is_seeded: bool
    pointed: tuple[tuple[int, int], ...]
    """Place among the chosen frames, and place in the stage's list, of each prompt."""

    @classmethod
    def of(cls, chosen: Chosen, stage: FollowStage, *, is_seeded: bool) -> "_Plan":
        pointed = tuple(_pointed(chosen, stage))
        start = _start(chosen, stage, [place for place, _ in pointed])
        return cls(chosen, start, is_seeded, pointed)

    def forward(self, chunk_frames: int, *, before: int) -> tuple[Chunk, ...]:
        """Numbered after so many others."""
        chosen = self.chosen.since(self.start)
        pointed = [one for one in self.pointed if one[0] >= self.start]
        chunks = list(chosen.chunks(chunk_frames))
        whole = Link(first=before + 1, last=before + len(chunks), prompts=self._prompts(pointed))
        return tuple(self._linked(chunks, chosen, whole, before=before))

    def backward(self, chunk_frames: int, *, is_lead: bool) -> tuple[Chunk, ...]:
        """Whether the frame with which it begins has its results elsewhere."""
        chosen = self.chosen.until(self.start, counts_it=not is_lead)
        pointed = [one for one in self.pointed if one[0] == self.start or not is_lead]
        # Read from the end, a few at a time: each frame has to be known by name.
        chunks = list(chosen.chunks(chunk_frames, all_listed=True))
        whole = Link(first=len(chunks), last=1, reverse=True, prompts=self._prompts(pointed))
        linked = list(self._linked(chunks, chosen, whole, before=0))
        return tuple([*linked[:-1], self._led(linked[-1])] if is_lead else linked)

    def _prompts(self, pointed: Sequence[tuple[int, int]]) -> tuple[Prompted, ...]:
        return tuple(Prompted(self._index(place), number) for place, number in pointed)

    def _linked(
        self, chunks: Sequence[Chunk], chosen: Chosen, whole: Link, *, before: int
    ) -> Iterator[Chunk]:
        done = 0
        for chunk in chunks:
            number = before + chunk.number
            low, high = chosen.positions[[done, done + chunk.frames - 1]].tolist()
            prompts = tuple(one for one in whole.prompts if low <= one.frame_index <= high)
            seed_index = self._index(self.start) if self.is_seeded else None
            is_first = number == whole.first
            link = replace(whole, prompts=prompts, seed_index=seed_index if is_first else None)
            yield replace(chunk, number=number, link=link)
            done += chunk.frames

    def _led(self, chunk: Chunk) -> Chunk:
        assert chunk.link is not None
        link = replace(chunk.link, lead_index=self._index(self.start))
        return replace(chunk, link=link, frames=chunk.frames - 1)

    def _index(self, place: int) -> int:
        return int(self.chosen.positions[place])


def _pointed(chosen: Chosen, stage: FollowStage) -> Iterator[tuple[int, int]]:
    seen: set[tuple[int, int]] = set()
    for number, one in enumerate(stage.objects):
        place = 0 if one.at_seconds is None else chosen.shown_at(one.at_seconds)
        if (place, one.id) in seen:
            when = float(chosen.seconds[place])
            raise InvalidRequest(f"object {one.id} is pointed at twice in the frame at {when:g} s")
        seen.add((place, one.id))
        yield place, number


def _start(chosen: Chosen, stage: FollowStage, places: Sequence[int]) -> int:
    if places:
        return max(places) if stage.direction == "backward" else min(places)
    if stage.seed_seconds is not None:
        return chosen.shown_at(stage.seed_seconds)
    return len(chosen.positions) - 1 if stage.direction == "backward" else 0
