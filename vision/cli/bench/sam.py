"""Masks of everything by segment-anything, against upstream's generator on the same network.

Ratios are of this process's CPU time with one thread of torch, on a GPU of wall time. Both sides
get the same answers in place of their decoders' own: see `sam_scene`.
"""

from collections.abc import Iterator
from itertools import chain

import torch

from vision.cli.bench.measure import Figure
from vision.cli.bench.sam_decoder import can_compile, decoder
from vision.cli.bench.sam_generation import against_published, with_encoder, without_encoder
from vision.cli.bench.sam_memory import memory
from vision.cli.bench.sam_post_processing import post_processing
from vision.cli.bench.sam_scene import Scene, scene
from vision.cli.output import notes

SCENE = f"{scene.__module__}:{scene.__name__}"


def run() -> list[Figure]:
    """Raises ValueError when a mask, a box, a number or the order isn't upstream's."""
    of = scene()
    return [_told(figure) for figure in chain(figures(of), memory(of, SCENE))]


def figures(of: Scene) -> Iterator[Figure]:
    """All that this process measures of itself."""
    yield post_processing(of, of.size)
    yield post_processing(of, of.other_size)
    yield from decoder(of)
    yield from without_encoder(of)
    yield from with_encoder(of)
    if of.is_on_gpu and can_compile(of):
        yield against_published(of, dtype=torch.bfloat16, is_compiled=True)


def _told(figure: Figure) -> Figure:
    """At once: all of them take long, and who interrupts keeps what was measured."""
    notes().print(f"    {figure.name}: {figure.ours}, {figure.reference}; {figure.ratio:.2f}")
    return figure
