"""How many inputs share a pass: found by trying, remembered, halved when memory runs out."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vision.models.base import Model, ModelIdentity
from vision.models.batch_sizes import BatchSizes, PassKey, best_size
from vision.models.passes import Passes

KEY = PassKey("it", "0" * 64, "small card", "float32", "4x4")


class Card:
    """Hardware with room for so many inputs at once; a pass takes a fixed time and one each.

    Beyond `saturated` inputs, each further one takes so long that nothing is gained.
    """

    def __init__(self, room: int, *, saturated: int = 10**9) -> None:
        self.room = room
        self.saturated = saturated
        self.seconds = 0.0
        self.passes: list[int] = []

    def clock(self) -> float:
        return self.seconds

    def run(self, size: int) -> None:
        if size > self.room:
            raise torch.OutOfMemoryError(f"{size} don't fit")
        self.passes.append(size)
        self.seconds += 1.0 + 0.01 * size + max(0, size - self.saturated)

    def doubled(self, numbers: list[int]) -> list[int]:
        self.run(len(numbers))
        return [2 * number for number in numbers]


def passes_on(card: Card, sizes: BatchSizes, *, most: int = 128, is_tried: bool = True) -> Passes:
    model = Model(ModelIdentity("it", "0" * 64, "cpu", "float32"), memory_bytes=1)
    model.batch_sizes = sizes
    return Passes(model, most=most, is_tried=is_tried, card="small card", clock=card.clock)


def tried(card: Card, *, most: int = 128) -> int:
    return best_size(card.run, too_much=torch.OutOfMemoryError, most=most, clock=card.clock)


@pytest.mark.parametrize(
    ("card", "size"),
    [
        pytest.param(Card(room=100), 64, id="until it doesn't fit"),
        pytest.param(Card(room=1), 1, id="only one fits"),
        pytest.param(Card(room=10**6), 128, id="until the most"),
        pytest.param(Card(room=10**6, saturated=16), 16, id="until nothing is gained"),
    ],
)
def test_the_number_is_doubled(card: Card, size: int) -> None:
    assert tried(card) == size


def test_the_most_is_a_limit_and_one_need_not_fit() -> None:
    assert tried(Card(room=10**6), most=8) == 8
    with pytest.raises(torch.OutOfMemoryError):
        tried(Card(room=0))


def test_one_slow_size_on_the_way_does_not_end_the_search() -> None:
    card = Card(room=64)

    def run(size: int) -> None:
        card.run(size)
        card.seconds += 50 if size == 4 else 0

    found = best_size(run, too_much=torch.OutOfMemoryError, clock=card.clock)

    assert found == 64


def test_results_come_in_order_and_the_search_is_made_once() -> None:
    card, sizes = Card(room=8), BatchSizes()
    passes = passes_on(card, sizes)

    first = passes.each(list(range(20)), card.doubled, shape="4x4")
    searched = len(card.passes)
    second = passes.each(list(range(20)), card.doubled, shape="4x4")

    assert first == second == [2 * number for number in range(20)]
    assert sizes.get(KEY) == 8
    assert card.passes[searched:] == [8, 8, 4]


def test_one_input_alone_needs_no_search() -> None:
    card, sizes = Card(room=8), BatchSizes()

    passes_on(card, sizes).each([1], card.doubled, shape="4x4")

    assert card.passes == [1]
    assert sizes.get(KEY) is None


def test_shapes_are_searched_one_by_one() -> None:
    card, sizes = Card(room=8), BatchSizes()
    passes = passes_on(card, sizes)

    passes.each([1, 2], card.doubled, shape="4x4")
    card.room = 2
    passes.each([1, 2], card.doubled, shape="9x9")

    assert sizes.get(KEY) == 8
    assert sizes.get(PassKey("it", "0" * 64, "small card", "float32", "9x9")) == 2


def test_out_of_memory_halves_and_is_remembered() -> None:
    card, sizes = Card(room=8), BatchSizes()
    passes = passes_on(card, sizes)
    passes.each(list(range(9)), card.doubled, shape="4x4")

    card.room = 3  # a neighbour took the rest
    found = passes.each(list(range(9)), card.doubled, shape="4x4")

    assert found == [2 * number for number in range(9)]
    assert sizes.get(KEY) == 2
    assert max(card.passes[-4:]) == 2


def test_out_of_memory_halves_where_nothing_is_tried() -> None:
    card, sizes = Card(room=5), BatchSizes()
    passes = passes_on(card, sizes, most=16, is_tried=False)

    assert passes.each(list(range(40)), card.doubled, shape="4x4") == list(range(0, 80, 2))
    assert sizes.get(KEY) == 4
    assert set(card.passes) == {4}


def test_one_input_that_does_not_fit_is_an_error_after_the_halving() -> None:
    card = Card(room=0)

    with pytest.raises(torch.OutOfMemoryError):
        passes_on(card, BatchSizes()).each([1, 2, 3], card.doubled, shape="4x4")


def test_a_cpu_takes_its_own_number_and_searches_nothing() -> None:
    card = Card(room=100)
    model = Model(ModelIdentity("it", "0" * 64, "cpu", "float32"), memory_bytes=1)

    Passes(model, on_cpu=4, clock=card.clock).each(list(range(10)), card.doubled, shape="4x4")

    assert card.passes == [4, 4, 2]


@given(count=st.integers(0, 70), room=st.integers(1, 40), most=st.sampled_from([1, 4, 32]))
def test_every_input_has_its_answer_whatever_fits(count: int, room: int, most: int) -> None:
    card = Card(room=room)

    found = passes_on(card, BatchSizes(), most=most).each(
        list(range(count)), card.doubled, shape="4x4"
    )

    assert found == [2 * number for number in range(count)]


def test_what_was_found_outlives_the_process(tmp_path: Path) -> None:
    file = tmp_path / "sizes.json"
    BatchSizes(file).remember(KEY, 16)

    assert BatchSizes(file).get(KEY) == 16
    assert [path.name for path in tmp_path.iterdir()] == ["sizes.json"]


def test_processes_agree_on_the_first_number_and_on_the_lower_one(tmp_path: Path) -> None:
    file = tmp_path / "sizes.json"
    one, other = BatchSizes(file), BatchSizes(file)

    assert one.remember(KEY, 16) == 16
    assert other.remember(KEY, 64) == 16
    other.lower(KEY, 4)
    one.lower(KEY, 8)

    assert one.get(KEY) == other.get(KEY) == BatchSizes(file).get(KEY) == 4


@pytest.mark.parametrize(
    "change",
    [{"weights_sha256": "1" * 64}, {"card": "other"}, {"precision": "bfloat16"}, {"shape": "5x5"}],
    ids=lambda change: next(iter(change)),
)
def test_numbers_hold_for_their_key_only(change: dict[str, str]) -> None:
    sizes = BatchSizes()
    sizes.remember(KEY, 16)

    assert sizes.get(PassKey(**{**_fields(KEY), **change})) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[1, 2]",
        b'{"version": 0, "sizes": {}}',
        b'{"version": 1, "sizes": [16]}',
        b'{"version": 1}',
    ],
)
def test_a_file_that_cannot_be_used_is_ignored_and_replaced(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "sizes.json"
    file.write_bytes(content)

    sizes = BatchSizes(file)

    assert sizes.get(KEY) is None
    assert sizes.remember(KEY, 2) == 2
    assert BatchSizes(file).get(KEY) == 2


def test_numbers_that_are_none_are_ignored(tmp_path: Path) -> None:
    file = tmp_path / "sizes.json"
    wrong: list[object] = [0, -4, True, 2.5, "16", None]
    for value in wrong:
        file.write_text(json.dumps({"version": 1, "sizes": {str(KEY): value}}))

        assert BatchSizes(file).get(KEY) is None


def test_without_a_place_to_write_they_are_remembered_all_the_same(tmp_path: Path) -> None:
    sizes = BatchSizes(tmp_path / "missing" / "sizes.json")

    sizes.remember(KEY, 16)

    assert sizes.get(KEY) == 16


def _fields(key: PassKey) -> dict[str, str]:
    return {name: getattr(key, name) for name in PassKey.__slots__}
