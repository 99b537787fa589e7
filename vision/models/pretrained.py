"""Hugging Face's transformers, so that a folder of weights is loaded whole or not at all.

Nothing is fetched and no code from the folder is run: the folder is all there is.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers.utils import logging as upstream_logging

from vision.errors import WeightsMismatch
from vision.models.base import ModelIdentity
from vision.models.spec import ModelSpec
from vision.models.state import BATCH_COUNTER, BROKEN_FILE

CONFIG_FILE = "config.json"


def load_network(
    network_class: Any, folder: Path, spec: ModelSpec, identity: ModelIdentity, **settings: Any
) -> Any:
    """An instance of a transformers model class, in float32, evaluating, on the identity's device.

    Any: upstream is untyped. Raises WeightsMismatch unless every tensor of the network is in the
    folder's safetensors, with its shape, and none is left over but what upstream says to ignore.
    """
    try:
        with _quiet():
            network, report = network_class.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
                dtype="float32",
                **settings,
            )
    except BROKEN_FILE as error:
        raise WeightsMismatch(f"{spec.name}: {folder.name} can't be loaded: {error}") from error
    _require_whole(report, spec, network_class)
    return network.to(identity.device).eval()


def load_processor(processor_class: Any, folder: Path, spec: ModelSpec, **settings: Any) -> Any:
    """What prepares pictures or words for the network. Raises WeightsMismatch."""
    try:
        with _quiet():
            return processor_class.from_pretrained(folder, local_files_only=True, **settings)
    except BROKEN_FILE as error:
        raise WeightsMismatch(f"{spec.name}: {folder.name} can't be used: {error}") from error


def _require_whole(report: Any, spec: ModelSpec, network_class: Any) -> None:
    missing = [name for name in report["missing_keys"] if not name.endswith(BATCH_COUNTER)]
    wrong = [str(key) for key in report["mismatched_keys"]]
    faults = {
        "that the files lack": missing,
        "that the network lacks": report["unexpected_keys"],
        "of another shape": wrong,
    }
    told = [
        f"{len(names)} tensors {fault} (such as {sorted(names)[0]})"
        for fault, names in faults.items()
        if names
    ]
    if told:
        raise WeightsMismatch(
            f"{spec.name} doesn't fit {network_class.__name__}: there are {'; '.join(told)}"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """What upstream logs about a load is in its report; progress bars are for people."""
    level, bars = upstream_logging.get_verbosity(), upstream_logging.is_progress_bar_enabled()
    upstream_logging.set_verbosity(logging.CRITICAL)
    upstream_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        upstream_logging.set_verbosity(level)
        if bars:
            upstream_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
