"""What a session of transformers' video models remembers of its objects, and for how long.

Upstream keeps every frame and every output for good. Of these the networks read again, by their
configuration, only the last few; the rest is dropped here after each frame, and every mask stays
as it would have been. What stays goes into a saved session and comes out of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

ALL_SELECTED = -1
"""Upstream's word for: every conditioning frame is looked at in every frame."""
PROMPTED_FRAMES = 32
"""So many of an object at most are remembered where ALL_SELECTED: its first and its latest."""
PROMPTED_POINTERS = 256
"""So many at most elsewhere: there the older ones are vectors only, without their maps. In SAM 3's
published size they are 4 % of an object's memory; upstream refreshes an object in every 16th frame
at most, so that they reach back 4,096 frames and more."""

POINTER, FEATURES, POSITIONS = "object_pointer", "maskmem_features", "maskmem_pos_enc"
CONDITIONING, TRACKED = "cond_frame_outputs", "non_cond_frame_outputs"
SHORT = {CONDITIONING: "c", TRACKED: "t"}
Outputs = dict[int, dict[str, Tensor]]


@dataclass(frozen=True, slots=True)
class Reach:
    """How far back a network looks, in frames before the next one."""

    maps: int
    pointers: int
    selected: int
    """Conditioning frames whose maps are looked at; ALL_SELECTED or more than 0."""

    @classmethod
    def of(cls, config: Any) -> "Reach":
        """From upstream's configuration of a network with memory."""
        return cls(
            maps=config.num_maskmem - 1,
            pointers=max(config.num_maskmem, config.max_object_pointers_in_encoder) - 1,
            selected=config.max_cond_frame_num,
        )


class ObjectMemory:
    """The objects of one upstream session, pruned."""

    def __init__(self, session: Any, config: Any) -> None:
        self._session = session
        self._reach = Reach.of(config)
        # They depend on a map's size only: one tensor serves all maps instead of a copy in each.
        self._positions: list[Tensor] = []

    def prune(self, *, next_frame: int) -> None:
        """Drop what no frame from this one on will look at."""
        session = self._session
        session.cache.clear_all()
        for memories in (session.point_inputs_per_obj, session.mask_inputs_per_obj):
            _clear_each(memories)
        _clear_each(session.frames_tracked_per_obj)
        for outputs in session.output_dict_per_obj.values():
            outputs[TRACKED] = self._recent(outputs[TRACKED], next_frame)
            outputs[CONDITIONING] = self._prompted(outputs[CONDITIONING], next_frame)

    def _recent(self, outputs: Outputs, next_frame: int) -> Outputs:
        return {
            frame: self._slim(output, has_map=next_frame - frame <= self._reach.maps)
            for frame, output in outputs.items()
            if next_frame - frame <= self._reach.pointers
        }

    def _prompted(self, outputs: Outputs, next_frame: int) -> Outputs:
        selected = self._reach.selected
        looks_at_all = selected == ALL_SELECTED
        limit = PROMPTED_FRAMES if looks_at_all else max(PROMPTED_POINTERS, selected + 1)
        frames = sorted(outputs)
        kept = frames if len(frames) <= limit else [frames[0], *frames[1 - limit :]]
        mapped = kept if looks_at_all else kept[-selected:]
        return {
            frame: self._slim(
                _alone(output),
                has_map=frame in mapped or next_frame - frame <= self._reach.maps,
            )
            for frame, output in outputs.items()
            if frame in kept
        }

    def _slim(self, output: dict[str, Tensor], *, has_map: bool) -> dict[str, Tensor]:
        if not has_map or FEATURES not in output:
            return {POINTER: output[POINTER]}
        positions = self._shared(output[POSITIONS])
        return {POINTER: output[POINTER], FEATURES: output[FEATURES], POSITIONS: positions}

    def _shared(self, positions: Tensor) -> Tensor:
        for known in self._positions:
            if known.dtype == positions.dtype and known.shape == positions.shape:
                return known
        self._positions.append(positions.clone())
        return self._positions[-1]

    def saved(self) -> tuple[list[Any], dict[str, Tensor]]:
        """The objects in order, each with its frames in order; and all tensors by name."""
        tensors = {f"positions.{place}": known for place, known in enumerate(self._positions)}
        arrangement = []
        for place, object_id in enumerate(self._session.obj_ids):
            outputs = self._session.output_dict_per_obj[place]
            arrangement.append([object_id, *(self._frames(outputs[kind]) for kind in SHORT)])
            tensors.update(_named(outputs, place))
        return arrangement, tensors

    def _frames(self, outputs: Outputs) -> list[list[int | None]]:
        return [[frame, self._place_of(output)] for frame, output in outputs.items()]

    def _place_of(self, output: Mapping[str, Tensor]) -> int | None:
        if POSITIONS not in output:
            return None
        return next(n for n, known in enumerate(self._positions) if known is output[POSITIONS])

    def restore(self, arrangement: list[Any], tensors: Mapping[str, Tensor], device: str) -> None:
        """Into a session without objects, what `saved` gave. Raises ValueError, LookupError."""
        here = {name: tensor.to(device) for name, tensor in tensors.items()}
        count = sum(name.startswith("positions.") for name in here)
        self._positions = [here[f"positions.{place}"] for place in range(count)]
        for object_id, *kinds in arrangement:
            place = self._session.obj_id_to_idx(object_id)
            outputs = self._session.output_dict_per_obj[place]
            for kind, frames in zip(SHORT, kinds, strict=True):
                outputs[kind] = dict(self._read(here, f"{place}.{SHORT[kind]}", frames))

    def _read(
        self, tensors: Mapping[str, Tensor], prefix: str, frames: list[list[int | None]]
    ) -> Iterator[tuple[int, dict[str, Tensor]]]:
        for frame, positions in frames:
            assert frame is not None
            output = {POINTER: tensors[f"{prefix}.{frame}.{POINTER}"]}
            if positions is not None:
                output[FEATURES] = tensors[f"{prefix}.{frame}.{FEATURES}"]
                output[POSITIONS] = self._positions[positions]
            yield frame, output

    @property
    def bytes_held(self) -> int:
        """Of all tensors that the session keeps between two frames, each storage once."""
        storages = {
            tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
            for tensor in tensors_in(vars(self._session))
        }
        return sum(storages.values())


def tensors_in(value: object) -> Iterator[Tensor]:
    """All of them, however deep in dicts, lists and plain objects."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from tensors_in(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors_in(part)
    elif hasattr(value, "__dict__"):
        yield from tensors_in(vars(value))


def _named(outputs: Mapping[str, Outputs], place: int) -> Iterator[tuple[str, Tensor]]:
    for kind, short in SHORT.items():
        for frame, output in outputs[kind].items():
            for key in (POINTER, FEATURES):
                if key in output:
                    yield f"{place}.{short}.{frame}.{key}", output[key]


def _alone(output: dict[str, Tensor]) -> dict[str, Tensor]:
    """Its map out of the tensor of all objects' maps, which else would stay as long as this one."""
    features = output.get(FEATURES)
    if features is None or features.untyped_storage().nbytes() == _size(features):
        return output
    return {**output, FEATURES: torch.clone(features)}


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _clear_each(memories: Mapping[int, dict[int, Any]]) -> None:
    for memory in memories.values():
        memory.clear()
