"""Small logits to the edges of masks in one pass on a CPU, one row of the picture at a time.

No mask of the picture's size ever exists: a mask costs a few rows of memory, and time only where
its logits reach. Every value is rounded as torch's own kernel for CPUs rounds it, see `mask_scan`.
The functions are compiled by numba; their arguments are flat, since arrays in nested tuples cost
more than the work on them.
"""

from typing import Any, NamedTuple

import numba
import numba.extending
import numpy as np
from numba.core import types
from numpy.typing import NDArray

from vision.domain.image import ImageSize
from vision.models.bilinear import Enlargement, Step, Taps

MARGIN = 1e-6
"""Of a limit: no mean of values below it is rounded to more than this part above it."""
FIRST_ROOM = 4096
"""For the edges of all masks; it doubles when they need more."""
WORD = 8
"""Pixels, of one byte each, in a number of 64 bits."""
WORDS = 8
BLOCK = WORD * WORDS
"""Pixels that are compared with those of the row before at once: mostly none differs."""


class Axis(NamedTuple):
    """`Taps` for the kernel."""

    first: NDArray[np.uint32]
    second: NDArray[np.uint32]
    first_weight: NDArray[np.float32]
    second_weight: NDArray[np.float32]


class Plan(NamedTuple):
    """An `Enlargement` for the kernel; with one step the second is there and unused."""

    rows: Axis
    columns: Axis
    rows2: Axis
    columns2: Axis
    has_two: bool


class Limits(NamedTuple):
    """What is counted: values above each."""

    low: np.float32
    mask: np.float32
    high: np.float32
    reach: np.float32
    """Where all small values are at most this, no value is above any of the others."""


def plan_of(enlargement: Enlargement, small: ImageSize) -> Plan:
    """Once for all masks of a picture, given the size of their small logits."""
    first, last = enlargement.steps[0], enlargement.steps[-1]
    axes = _axes(small, first)
    if first is last:
        return Plan(*axes, *axes, has_two=False)
    return Plan(*axes, *_axes(first.kept, last), has_two=True)


def limits_of(threshold: float, offset: float) -> Limits:
    """Of masks, and of their stability."""
    low = threshold - offset
    return Limits(
        np.float32(low),
        np.float32(threshold),
        np.float32(threshold + offset),
        np.float32(low - MARGIN * abs(low)),
    )


def _axes(old: ImageSize, step: Step) -> tuple[Axis, Axis]:
    """Of rows and of columns."""
    rows = Taps.between(old.height, step.size.height).part(step.top, step.kept.height)
    columns = Taps.between(old.width, step.size.width).part(step.left, step.kept.width)
    return _axis(rows), _axis(columns)


def _axis(taps: Taps) -> Axis:
    # Unsigned: the compiler need not ask whether a position counts from the end.
    first, second = taps.first.astype(np.uint32), taps.second.astype(np.uint32)
    return Axis(first, second, taps.first_weight, taps.second_weight)


def compiled(function: Any) -> Any:
    """On its first call; kept on disk for the next process where a folder can be written."""
    settings: Any = {"nogil": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **settings)(function)
    except RuntimeError:  # numba finds no such folder
        return numba.njit(**settings)(function)


def intrinsic(function: Any) -> Any:
    """An instruction of the processor, of any type to mypy."""
    return numba.extending.intrinsic(function)


@intrinsic
def _fma(_context: Any, _a: Any, _b: Any, _c: Any) -> Any:
    """a * b + c, rounded once; float32."""

    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float32(types.float32, types.float32, types.float32), code


@compiled
def _widen(out, at, row, axis, start, stop):  # type: ignore[no-untyped-def]
    """Columns `start` to `stop` between the values of a row, into row `at` of `out` from 0 on."""
    first, second = axis.first[start:stop], axis.second[start:stop]
    weight, weight2 = axis.first_weight[start:stop], axis.second_weight[start:stop]
    for x in range(stop - start):
        out[at, x] = _fma(weight[x], row[first[x]], weight2[x] * row[second[x]])


@compiled
def _mix(out, start, rows, first, second, weight, weight2, width):  # type: ignore[no-untyped-def]
    """Between two of the rows, into `out` from `start` on."""
    part = out[start : start + width]
    for x in range(width):
        part[x] = _fma(weight, rows[first, x], weight2 * rows[second, x])


@compiled
def _within(first, second, start, stop):  # type: ignore[no-untyped-def]
    """Which new values touch old ones from `start` to `stop`."""
    begin, end = np.int64(0), np.int64(len(first))
    while begin < end and second[begin] < start:
        begin += 1
    while end > begin and first[end - 1] >= stop:
        end -= 1
    return begin, end


@compiled
def _touched(axis, axis2, has_two, start, stop):  # type: ignore[no-untyped-def]
    """Which rows or columns of the picture touch the small ones from `start` to `stop`."""
    begin, end = _within(axis.first, axis.second, start, stop)
    if has_two:
        return _within(axis2.first, axis2.second, begin, end)
    return begin, end


@compiled
def _reach(small, limit):  # type: ignore[no-untyped-def]
    """The rows and columns that have a value above the limit: top, bottom, left, right."""
    height, width = small.shape
    top, bottom, left, right = height, 0, width, 0
    for y in range(height):
        row = small[y]
        above = np.uint32(0)
        for x in range(width):
            above += np.uint32(row[x] > limit)
        if above:
            top, bottom = min(top, y), y + 1
            x = 0
            while x < left and not row[x] > limit:
                x += 1
            left = min(left, x)
            x = width
            while x > right and not row[x - 1] > limit:
                x -= 1
            right = max(right, x)
    return top, bottom, left, right


@compiled
def _count(line, width, limits, bits):  # type: ignore[no-untyped-def]
    """How many values are above each limit; the mask's pixels into `bits`.

    In two loops: so they become vector instructions.
    """
    low = mask = high = np.uint32(0)
    for x in range(width):
        low += np.uint32(line[x] > limits.low)
        mask += np.uint32(line[x] > limits.mask)
        high += np.uint32(line[x] > limits.high)
    for x in range(width):
        bits[x] = np.uint8(line[x] > limits.mask)
    return low, mask, high


@compiled
def _grown(values, room):  # type: ignore[no-untyped-def]
    """With room for at least so many; a copy if there isn't."""
    if len(values) >= room:
        return values
    larger = np.empty(max(room, 2 * len(values)), np.int64)
    for at in range(len(values)):  # a slice would compile numpy's error messages too: seconds
        larger[at] = values[at]
    return larger


@compiled
def _turns(bits, before, y, turns, count):  # type: ignore[no-untyped-def]
    """Appends (column, y) wherever two rows differ, for which there is room; returns the end."""
    words, words_before = bits.view(np.uint64), before.view(np.uint64)
    for start in range(0, len(words), WORDS):
        difference = np.uint64(0)
        for at in range(start, start + WORDS):
            difference |= words[at] ^ words_before[at]
        if difference:
            for x in range(start * WORD, start * WORD + BLOCK):
                if bits[x] != before[x]:
                    turns[count], turns[count + 1] = x, y
                    count += 2
    return count


@compiled
def _edges(turns, count, width, corner, frame, edges, used):  # type: ignore[no-untyped-def]
    """Appends where the mask begins and ends, down the columns of the picture."""
    starts = np.zeros(width + 1, np.int64)
    for at in range(0, count, 2):
        starts[turns[at] + 1] += 1
    for x in range(width):
        starts[x + 1] += starts[x]
    ys = np.empty(count // 2, np.int64)
    for at in range(0, count, 2):
        ys[starts[turns[at]]] = turns[at + 1]
        starts[turns[at]] += 1
    edges = _grown(edges, used + count // 2)
    began, at = used, 0
    for x in range(width):
        foot = (frame.left + corner + x) * frame.height + frame.top
        while at < starts[x]:
            edge = foot + ys[at]
            at += 1
            if used > began and edges[used - 1] == edge:
                used -= 1  # from the foot of one column to the head of the next: one run
            else:
                edges[used] = edge
                used += 1
    return edges, used


@compiled
def _first_step(small, plan, rows, span):  # type: ignore[no-untyped-def]
    """The small rows that these rows of the first step need, widened, and the first one's number.

    `span` is from which column to which.
    """
    top = np.int64(plan.rows.first[rows[0]])
    bottom = np.int64(plan.rows.second[rows[1] - 1]) + 1
    wide = np.empty((bottom - top, span[1] - span[0]), np.float32)
    for y in range(top, bottom):
        _widen(wide, y - top, small[y], plan.columns, span[0], span[1])
    return wide, top


@compiled
def _second_step(wide, top, plan, span, columns, y, pair):  # type: ignore[no-untyped-def]
    """Row y of the first step, widened by the second, into its place of the two in `pair`."""
    middle = np.empty(len(plan.columns.first), np.float32)
    first, second = plan.rows.first[y] - top, plan.rows.second[y] - top
    weight, weight2 = plan.rows.first_weight[y], plan.rows.second_weight[y]
    _mix(middle, span[0], wide, first, second, weight, weight2, span[1] - span[0])
    _widen(pair, y % 2, middle, plan.columns2, columns[0], columns[1])


@compiled
def _needed(plan, rows, columns):  # type: ignore[no-untyped-def]
    """The rows and columns of the first step that these of the picture are made of."""
    if not plan.has_two:
        return rows, columns
    above, left = np.int64(plan.rows2.first[rows[0]]), np.int64(plan.columns2.first[columns[0]])
    below = np.int64(plan.rows2.second[rows[1] - 1])
    right = np.int64(plan.columns2.second[columns[1] - 1])
    return (above, below + 1), (left, right + 1)


@compiled
def _scan_rows(small, plan, limits, rows, columns, turns, facts):  # type: ignore[no-untyped-def]
    """One mask, where it reaches; returns its turns and how long that list is.

    As one function: a call for every row made it a third slower.
    """
    width = columns[1] - columns[0]
    axis = plan.rows2 if plan.has_two else plan.rows
    steps, span = _needed(plan, rows, columns)
    wide, top = _first_step(small, plan, steps, span)
    room = (width + BLOCK - 1) // BLOCK * BLOCK
    bits, before = np.zeros(room, np.uint8), np.zeros(room, np.uint8)
    line, pair = np.empty(width, np.float32), np.empty((2, width), np.float32)
    held = np.full(2, -1, np.int64)
    count = 0
    for y in range(rows[0], rows[1]):
        first, second = np.int64(axis.first[y]), np.int64(axis.second[y])
        weight, weight2 = axis.first_weight[y], axis.second_weight[y]
        if plan.has_two:
            for wanted in (first, second):  # neighbors or the same: each has its place
                if held[wanted % 2] != wanted:
                    held[wanted % 2] = wanted
                    _second_step(wide, top, plan, span, columns, wanted, pair)
            _mix(line, 0, pair, first % 2, second % 2, weight, weight2, width)
        else:
            _mix(line, 0, wide, first - top, second - top, weight, weight2, width)
        low, mask, high = _count(line, width, limits, bits)
        facts[0] += high
        facts[1] += low
        if mask:
            facts[4] = facts[4] if facts[2] else y
            facts[6] = y
            facts[2] += mask
        turns = _grown(turns, count + 2 * room)
        count = _turns(bits, before, y, turns, count)
        bits, before = before, bits
    bits[:] = 0
    turns = _grown(turns, count + 2 * room)
    return turns, _turns(bits, before, rows[1], turns, count)


@compiled
def scan(logits, plan, limits, frame):  # type: ignore[no-untyped-def]
    """Of (n, h, w) float32 logits: (n, 7) int64, edges, and where each mask's begin, (n + 1,).

    The seven: pixels above the high, the low and the mask's limit; left, top, right and bottom of
    the mask, the last pixels included, in the enlarged part; zeros for an empty mask.
    """
    facts = np.zeros((len(logits), 7), np.int64)
    begins = np.zeros(len(logits) + 1, np.int64)
    edges, used = np.empty(FIRST_ROOM, np.int64), 0
    turns = np.empty(FIRST_ROOM, np.int64)
    for number in range(len(logits)):
        small = logits[number]
        top, bottom, left, right = _reach(small, limits.reach)
        if top < bottom:
            rows = _touched(plan.rows, plan.rows2, plan.has_two, top, bottom)
            columns = _touched(plan.columns, plan.columns2, plan.has_two, left, right)
            turns, count = _scan_rows(small, plan, limits, rows, columns, turns, facts[number])
            _sides(turns, count, columns[0], facts[number])
            width = columns[1] - columns[0]
            edges, used = _edges(turns, count, width, columns[0], frame, edges, used)
        begins[number + 1] = used
    return facts, edges[:used], begins


@compiled
def _sides(turns, count, corner, facts):  # type: ignore[no-untyped-def]
    """Left and right of a mask: a column with a pixel has a turn."""
    if count:
        facts[3] = facts[5] = corner + turns[0]
        for at in range(2, count, 2):
            facts[3] = min(facts[3], corner + turns[at])
            facts[5] = max(facts[5], corner + turns[at])
