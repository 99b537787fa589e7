"""Whether a user's own weights fit the network of a listed model, and which labels go with them."""

from dataclasses import replace
from pathlib import Path

from torch import nn

from vision.errors import WeightsMismatch
from vision.models import torchvision_networks
from vision.models.base import ModelIdentity
from vision.models.demo_networks import build_demo_maskrcnn
from vision.models.interfaces import interfaces_of
from vision.models.loading import loader_for
from vision.models.spec import NO_CLASS, ModelSpec, Task
from vision.models.state import State, read_state

BACKGROUND = "__background__"
COUNTED_FAMILIES = frozenset({"demo", "torchvision_detection"})
"""Class 0 is the background, which people forget to name: their file says how many there are."""


def fitting_labels(listed: ModelSpec, weights: Path, labels: tuple[str, ...]) -> tuple[str, ...]:
    """By class id. Raises WeightsMismatch unless the weights fit the network with these labels."""
    if listed.family in COUNTED_FAMILIES and Task.DETECT in listed.tasks:
        labels = _by_class_id(listed, read_state(weights), labels)
    spec = replace(listed, labels=labels, like=listed.name)
    for loader in {loader_for(spec, interface) for interface in interfaces_of(spec)}:
        loader(spec, weights, ModelIdentity(spec.name, "", "cpu", "float32"))
    return labels


def _by_class_id(listed: ModelSpec, state: State, labels: tuple[str, ...]) -> tuple[str, ...]:
    num_classes = len(labels) + 1
    network = _network(listed, num_classes)
    found = torchvision_networks.classes_in(state, network, num_classes=num_classes)
    names_background = labels[0] in NO_CLASS
    may_lack_background = listed.builder in torchvision_networks.DENSE_BUILDERS
    if found == len(labels) and (names_background or may_lack_background):
        return labels
    if found == num_classes and not names_background:
        return (BACKGROUND, *labels)
    raise WeightsMismatch(
        f"the file tells {found or 'no'} classes apart, background included; {len(labels)} "
        f"labels for {listed.name} need {len(labels) if names_background else num_classes}"
    )


def _network(listed: ModelSpec, num_classes: int) -> nn.Module:
    if listed.family == "demo":
        demo: nn.Module = build_demo_maskrcnn(num_classes)
        return demo
    return torchvision_networks.build(listed.builder, num_classes=num_classes)
