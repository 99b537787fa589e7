"""COCO's categories as they are met."""

from vision.domain.detections import Detection


class Categories:
    """COCO's category ids: the model's own class numbers, so that they match its dataset's."""

    def __init__(self, keypoint_names: tuple[str, ...]) -> None:
        self._keypoint_names = keypoint_names
        self._ids: dict[str, int] = {}
        self._keypoints: dict[str, int] = {}

    def id_of(self, detection: Detection) -> int:
        label = detection.label
        if label not in self._ids:
            # Two labels with one number: a model with a broken label list; keep them apart.
            is_taken = detection.class_id in self._ids.values()
            self._ids[label] = max(self._ids.values()) + 1 if is_taken else detection.class_id
        if detection.keypoints is not None:
            self._keypoints[label] = len(detection.keypoints)
        return self._ids[label]

    def listed(self) -> list[dict[str, object]]:
        by_id = sorted(self._ids.items(), key=lambda entry: entry[1])
        return [self._category(label, number) for label, number in by_id]

    def _category(self, label: str, number: int) -> dict[str, object]:
        category: dict[str, object] = {"id": number, "name": label, "supercategory": ""}
        if label in self._keypoints:
            category["keypoints"] = self._names(self._keypoints[label])
            category["skeleton"] = []
        return category

    def _names(self, count: int) -> list[str]:
        if len(self._keypoint_names) == count:
            return list(self._keypoint_names)
        return [f"keypoint_{number}" for number in range(1, count + 1)]
