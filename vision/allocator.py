"""Memory of large arrays stays with a process that infers, instead of being fetched anew each time.

glibc asks the system for every block above 32 MiB at most, and gives it back when it is freed: the
next one's pages are zeroed one by one again. For networks on a CPU that was a tenth to nearly
a half of all processor time; the price is a higher peak of memory (docs/benchmarks.md).
"""

import ctypes
import os
import platform
from collections.abc import Mapping

M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8
"""As malloc.h numbers them."""
NEVER = -1
CHOICES = ("MALLOC_", "glibc.malloc.")
"""How the names begin by which an operator chooses, as variables and inside GLIBC_TUNABLES."""


def keep_large_blocks(environment: Mapping[str, str] = os.environ) -> None:
    """For a process that infers on a CPU, before it starts threads.

    Without effect where the operator has chosen, and without glibc.
    """
    if _may_choose(environment):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, NEVER)
        # Only the first arena has room for large blocks: threads shall not have others.
        libc.mallopt(M_ARENA_MAX, 1)


def give_back_memory(environment: Mapping[str, str] = os.environ) -> None:
    """What is free goes to the system, up to half a second long. For a process that has a rest.

    Without effect where the operator has chosen, and without glibc.
    """
    if _may_choose(environment):
        ctypes.CDLL(None).malloc_trim(0)


def _may_choose(environment: Mapping[str, str]) -> bool:
    variables, tunables = CHOICES
    is_chosen = any(name.startswith(variables) for name in environment)
    is_tuned = tunables in environment.get("GLIBC_TUNABLES", "")
    return platform.libc_ver()[0] == "glibc" and not is_chosen and not is_tuned
