"""How long torch's threads wait for each other by spinning, before they sleep."""

import os
from collections.abc import MutableMapping

SPINS = "10000"
"""GNU OpenMP's own 300,000 hold a core that somebody else wants: beside one busy process, an image
through demo_maskrcnn on two cores took 222 ms, so 69; alone both took 25 (docs/benchmarks.md)."""
CHOICES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def spin_briefly(environment: MutableMapping[str, str] = os.environ) -> None:
    """For entry points, before torch is imported: it asks the environment once.

    Without effect where the operator has chosen.
    """
    if not any(name in environment for name in CHOICES):
        environment[CHOICES[0]] = SPINS
