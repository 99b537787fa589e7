"""What a transformers network calls its classes."""

from typing import Any

from vision.errors import WeightsMismatch
from vision.models.spec import ModelSpec


def class_labels(spec: ModelSpec, config: Any) -> tuple[str, ...]:
    """By class id: the catalogue's, else the config's own. Any: upstream is untyped.

    Raises WeightsMismatch unless there is one for each class that the network tells apart.
    """
    count = int(config.num_labels)
    if not spec.labels:
        return tuple(str(config.id2label[class_id]) for class_id in range(count))
    if len(spec.labels) != count:
        raise WeightsMismatch(
            f"{spec.name}: the network tells {count} classes apart, and there are "
            f"{len(spec.labels)} labels"
        )
    return spec.labels
