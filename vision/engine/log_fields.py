"""The fields by which log lines of one unit are found."""

from vision.domain.job import Lease


def unit_fields(lease: Lease) -> dict[str, object]:
    return {
        "job_id": str(lease.job_id),
        "kind": lease.kind.value,
        "unit": f"{lease.item}/{lease.chunk}",
        "attempt": lease.attempt,
        "images": len(lease.items),
    }
