"""Equal provenance has an equal digest, whatever the order of its parameters."""

from vision.domain.provenance import Provenance, StageProvenance


def made_by(parameters: dict[str, object]) -> Provenance:
    stage = StageProvenance("detect", "demo_maskrcnn", "ab" * 32, parameters)
    return Provenance((stage,), "0.1.0", "cpu", "float32")


def test_digest_ignores_the_order_of_parameters() -> None:
    one = made_by({"min_score": 0.5, "max_detections": 300})
    other = made_by({"max_detections": 300, "min_score": 0.5})

    assert one.digest == other.digest


def test_digest_sees_a_changed_parameter() -> None:
    assert made_by({"min_score": 0.5}).digest != made_by({"min_score": 0.6}).digest
