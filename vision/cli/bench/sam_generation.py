"""From a picture to its masks: upstream's generator against both modes of ours."""

from collections.abc import Iterator
from functools import partial

import torch

from vision.cli.bench.measure import Figure, Spent, spent_in_turn
from vision.cli.bench.sam_answered import (
    AnsweredDecoder,
    Answering,
    Contender,
    as_detections,
    ours,
    relative_error,
    require_same,
    upstream,
)
from vision.cli.bench.sam_decoder import can_compile, require_near
from vision.cli.bench.sam_fast_reference import FastGenerator, fast_network
from vision.cli.bench.sam_scene import Scene

UPSTREAM = "upstream"
EXACT, FAST, COMPILED = "exact", "fast, eager", "fast, compiled"
EXACT_BFLOAT16, COMPILED_BFLOAT16 = "exact, bfloat16", "fast, compiled, bfloat16"
TARGETS = {EXACT: 1.4, FAST: 2.5, COMPILED: 4.0}
"""Without the image encoder, on a CPU."""
UPSTREAM_ON_GPU, PUBLISHED_ON_GPU = 8.0, 2.0
"""With it, on a GPU: how much sooner than upstream's float32, and than segment-anything-fast."""


def without_encoder(scene: Scene) -> Iterator[Figure]:
    """Of the encoder's features. Raises ValueError if results differ."""
    contenders = {UPSTREAM: upstream(scene, is_encoded=False), **_ours(scene, is_encoded=False)}
    kept = _prove(scene, contenders)
    image = scene.image(scene.size)
    with scene.threads(1):
        spent = spent_in_turn(
            {name: partial(one.generate, image) for name, one in contenders.items()},
            rounds=scene.rounds,
        )
    targets = {} if scene.is_on_gpu else TARGETS
    yield from _compared(scene, f"without encoder, {kept} masks", spent, targets)


def with_encoder(scene: Scene) -> Iterator[Figure]:
    """The whole of it. On a CPU once: the encoder alone takes most of a minute there."""
    contenders = {UPSTREAM: upstream(scene, is_encoded=True), **_ours(scene, is_encoded=True)}
    image = scene.image(scene.size)
    runs = {name: partial(one.generate, image) for name, one in contenders.items()}
    if scene.is_on_gpu:
        for run in runs.values():
            run()
    with scene.threads(1):
        spent = spent_in_turn(runs, rounds=scene.rounds if scene.is_on_gpu else 1)
    yield from _compared(scene, "encoder included", spent, {COMPILED_BFLOAT16: UPSTREAM_ON_GPU})


def against_published(scene: Scene, *, dtype: torch.dtype, is_compiled: bool) -> Figure:
    """The whole of it against segment-anything-fast's."""
    precision = str(dtype).removeprefix("torch.")
    mine = ours(scene, "fast", is_encoded=True, precision=precision, is_compiled=is_compiled)
    theirs = published(scene, dtype=dtype, is_compiled=is_compiled)
    image = scene.image(scene.size)
    runs = {"ours": partial(mine.generate, image), "theirs": partial(theirs.generate, image)}
    for run in runs.values():
        run()
    with scene.threads(1):
        spent = spent_in_turn(runs, rounds=scene.rounds)
    return scene.compared(
        f"fast, {precision}, encoder included",
        ours=spent["ours"],
        reference="segment-anything-fast's generator",
        theirs=spent["theirs"],
        target=PUBLISHED_ON_GPU if scene.is_on_gpu else None,
    )


def published(scene: Scene, *, dtype: torch.dtype, is_compiled: bool) -> Contender:
    """segment-anything-fast's generator, listened to as little."""
    answering = Answering(scene.answers(scene.size).to(dtype))
    network = fast_network(scene.network, dtype=dtype, is_compiled=is_compiled)
    network.mask_decoder = AnsweredDecoder(network.mask_decoder, answering)
    generator = FastGenerator(network, **scene.options.upstreams(), output_mode="coco_rle")
    return Contender(lambda image: as_detections(generator.generate(image)), answering)


def _ours(scene: Scene, *, is_encoded: bool) -> dict[str, Contender]:
    modes = {
        EXACT: ours(scene, "exact", is_encoded=is_encoded),
        FAST: ours(scene, "fast", is_encoded=is_encoded),
    }
    # Beside an encoder on a CPU the compiled decoder is lost in its noise.
    if (scene.is_on_gpu or not is_encoded) and can_compile(scene):
        modes[COMPILED] = ours(scene, "fast", is_encoded=is_encoded, is_compiled=True)
    if scene.is_on_gpu:
        modes[EXACT_BFLOAT16] = ours(scene, "exact", is_encoded=is_encoded, precision="bfloat16")
    if scene.is_on_gpu and can_compile(scene):
        modes[COMPILED_BFLOAT16] = ours(
            scene, "fast", is_encoded=is_encoded, is_compiled=True, precision="bfloat16"
        )
    return modes


def _prove(scene: Scene, contenders: dict[str, Contender]) -> int:
    """How many masks all of them keep, after each has run once. Raises ValueError."""
    image = scene.image(scene.size)
    for contender in contenders.values():
        contender.answering.heard = []
    # With one thread alone torch enlarges three masks together by a kernel of its own.
    with scene.threads(2):
        expected = contenders[UPSTREAM].generate(image)
    with scene.threads(1):
        for name, contender in contenders.items():
            if name != UPSTREAM:
                require_same(contender.generate(image), expected)
    logits = {name: _heard(contender) for name, contender in contenders.items()}
    for name in (EXACT, FAST, COMPILED):
        if name in logits:
            require_near(scene, relative_error(logits[name], logits[UPSTREAM]))
    return len(expected)


def _heard(contender: Contender) -> torch.Tensor:
    """What its decoder said itself; from now on nobody listens."""
    heard, contender.answering.heard = contender.answering.heard, None
    return torch.cat(heard or [])


def _compared(
    scene: Scene, what: str, spent: dict[str, Spent], targets: dict[str, float]
) -> Iterator[Figure]:
    for name in spent:
        if name != UPSTREAM:
            yield scene.compared(
                f"{name}, {what}",
                ours=spent[name],
                reference="upstream, float32",
                theirs=spent[UPSTREAM],
                target=targets.get(name),
            )
