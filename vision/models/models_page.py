"""`docs/models.md`, written from the catalogue: `python -m vision.models.models_page` prints it.

`make docs` writes it; a test compares the page with what it would write now.
"""

import sys
from collections.abc import Iterator, Sequence
from itertools import groupby

from vision.models.catalogue import Catalogue
from vision.models.licenses import License
from vision.models.listing import MIB
from vision.models.spec import ModelSpec, SnapshotSpec

REVISION_DIGITS = 12
HEAD = """\
# Models

Written from `vision/models/listed` by `make docs`: don't edit. `vision models list` says which of
them can run on a machine, `vision models show NAME` gives a card with everything known,
`vision models pull NAME` brings the weights.

- **Gate**: what stands before the files at their publisher. `form`: log in at the hub, accept the
  terms on the model's page, set `HF_TOKEN` or `VISION_HF_TOKEN`. `manual review`: the same, then
  wait until somebody lets you in.
- **To be accepted**: terms that forbid uses. Such a model runs only after
  `vision models accept NAME` or `POST /v1/models/NAME/acceptance`; who and when is written down.
  The sentences here are short facts in our words; what counts is the licence's text.
- **Revision**: the commit at the hub that is pulled. Where there is none, the first pull writes
  down the one that it found, and every file's SHA-256, in the folder's `vision-lock.json`.
- **Extra**: `pip install 'vision-service[EXTRA]'` on workers that run it; `models` is what every
  worker has.
- No network? Bring the files in a folder and run `vision models import NAME FOLDER`, or let
  `VISION_MODELS_MIRROR` name a copy of a models folder.
- Your own fine-tuned weights: `vision models add NAME --like LISTED --file FILE_OR_FOLDER`.
"""


def page() -> str:
    """The whole of it."""
    families = [list(specs) for _, specs in groupby(Catalogue().specs, _family)]
    sections = (HEAD, *(_section(specs) for specs in families))
    return "\n".join(sections)


def _family(spec: ModelSpec) -> str:
    return spec.family


def _section(specs: Sequence[ModelSpec]) -> str:
    return "\n".join((f"## {specs[0].family}", "", *_facts(specs), *_table(specs))) + "\n"


def _facts(specs: Sequence[ModelSpec]) -> Iterator[str]:
    """What the family has in common, each fact once; what only some have is said of those."""
    told = {
        "Use": [spec.intended_use for spec in specs],
        "Limits": [spec.limits for spec in specs],
        "Training data": [spec.training_data for spec in specs],
        "License": [_terms(spec.license) for spec in specs],
    }
    for title, facts in told.items():
        for fact in dict.fromkeys(facts):
            names = [spec.name for spec, one in zip(specs, facts, strict=True) if one == fact]
            which = "" if len(names) == len(specs) else f" ({', '.join(names)})"
            yield from (f"**{title}**{which}: {fact}", "") if fact else ()


def _terms(terms: License) -> str:
    sentences = [f"{terms.name}.", terms.note]
    if terms.gate != "none":
        sentences.append(f"Gate: {terms.gate}.")
    if terms.is_restricted:
        sentences.append("To be accepted before it runs:")
    return "\n- ".join((" ".join(filter(None, sentences)), *terms.forbids))


def _table(specs: Sequence[ModelSpec]) -> Iterator[str]:
    yield "| model | tasks | MiB | license | gate | extra | from | revision |"
    yield "|---|---|---:|---|---|---|---|---|"
    for spec in specs:
        yield f"| {' | '.join(_row(spec))} |"


def _row(spec: ModelSpec) -> tuple[str, ...]:
    size = spec.weights.size_bytes
    origin, revision = _origin(spec)
    return (
        f"`{spec.name}`",
        ", ".join(sorted(spec.tasks)),
        "" if size is None else f"{size / MIB:.1f}",
        spec.license.name,
        str(spec.license.gate),
        spec.extra,
        origin,
        revision,
    )


def _origin(spec: ModelSpec) -> tuple[str, str]:
    if isinstance(spec.weights, SnapshotSpec):
        return str(spec.weights.hub), (spec.weights.revision or "")[:REVISION_DIGITS]
    return spec.weights.url or "this package", ""


if __name__ == "__main__":
    sys.stdout.write(page())
