"""What the process says to the shell when it ends."""

DONE = 0
FAILED = 1
USAGE = 2
PARTIAL = 3
"""Some files have results, others an error."""
INTERRUPTED = 130
"""Ctrl-C: 128 + SIGINT, as every shell expects."""
