"""A model's inputs through its network: so many at a time as pay and as fit the device's memory.

self._passes = Passes(self, on_cpu=4)
rows = self._passes.each(images, self._forward, shape="224x224")
"""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from vision.models.base import Model
from vision.models.batch_sizes import MOST_AT_ONCE, PassKey, best_size

I = TypeVar("I")  # noqa: E741 (input)
R = TypeVar("R")  # result
P = TypeVar("P")  # part

Indices = list[int]


class Passes:
    """How one model's inputs are divided.

    On a CPU always by the same number. On a GPU by what was found the first time that more than
    one input of a shape came, before any result of theirs: so which inputs share a pass depends
    on their number and order alone. When memory runs out, the pass is halved and done again, and
    the smaller number is remembered.
    """

    def __init__(
        self,
        model: Model,
        *,
        on_cpu: int = 1,
        most: int = MOST_AT_ONCE,
        is_tried: bool = True,
        card: str | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`is_tried` False: `most` at a time, on a CPU too, until memory runs out.

        `card` is the hardware's name; None asks torch about the model's device.
        """
        self._model = model
        self._on_cpu = on_cpu
        self._most = most
        self._is_tried = is_tried
        self._card = card_of(model.identity.device) if card is None else card
        self._clock = clock

    def each(
        self, inputs: Sequence[I], forward: Callable[[list[I]], Sequence[R]], *, shape: str
    ) -> list[R]:
        """One result per input, in order.

        `forward` returns when its results are there. Raises torch.OutOfMemoryError when even one
        input is too much.
        """
        parts = self.parts(
            len(inputs), lambda some: forward([inputs[one] for one in some]), shape=shape
        )
        return [row for part in parts for row in part]

    def parts(self, count: int, run: Callable[[Indices], P], *, shape: str) -> list[P]:
        """What `run` made of the indices 0 to `count` - 1, in order, some at a time."""
        key = self._key(shape)
        found: list[P] = []
        done = 0
        while done < count:
            size = self._size(count, run, key)
            indices = list(range(done, min(done + size, count)))
            found += self._halved_until_it_fits(indices, run, key)
            done += len(indices)
        return found

    def whole(self, run: Callable[[int], P], *, most: int, shape: str) -> P:
        """Of work that divides itself: `run(size)` with `most` at a time, or as many as fit."""
        key = self._key(shape)
        size = min(most, self._model.batch_sizes.get(key) or most)
        while True:
            try:
                return run(size)
            except torch.OutOfMemoryError:
                if size == 1:
                    raise
            _let_go()
            size //= 2
            self._model.batch_sizes.lower(key, size)

    def _size(self, count: int, run: Callable[[Indices], P], key: PassKey) -> int:
        known = self._model.batch_sizes.get(key)
        if known is not None:
            return min(known, self._most)
        if not self._is_tried:
            return self._most
        if self._card is None:
            return self._on_cpu
        return 1 if count == 1 else self._found(count, run, key)

    def _found(self, count: int, run: Callable[[Indices], P], key: PassKey) -> int:
        def tried(size: int) -> None:
            run([index % count for index in range(size)])

        try:
            size = best_size(
                tried, too_much=torch.OutOfMemoryError, most=self._most, clock=self._clock
            )
        finally:
            _let_go()
        return self._model.batch_sizes.remember(key, size)

    def _halved_until_it_fits(
        self, indices: Indices, run: Callable[[Indices], P], key: PassKey
    ) -> list[P]:
        try:
            return [run(indices)]
        except torch.OutOfMemoryError:
            if len(indices) == 1:
                raise
        # Outside of the except: what it caught holds the tensors of the pass that didn't fit.
        _let_go()
        half = len(indices) // 2
        self._model.batch_sizes.lower(key, half)
        return [
            part
            for some in (indices[:half], indices[half:])
            for part in self._halved_until_it_fits(some, run, key)
        ]

    def _key(self, shape: str) -> PassKey:
        identity = self._model.identity
        return PassKey(
            identity.name, identity.weights_sha256, self._card or "cpu", identity.precision, shape
        )


def card_of(device: str) -> str | None:
    """The GPU's name; None for a CPU."""
    return None if device == "cpu" else torch.cuda.get_device_name(device)


def _let_go() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
