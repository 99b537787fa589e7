"""Files that exist only as open descriptors: how bytes and pixels cross to the decode process."""

import errno
import mmap
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vision.errors import EmptyFile, UnsupportedType

if sys.platform == "linux":
    import fcntl


def anonymous_file(size_bytes: int) -> int:
    """A descriptor of so many zero bytes, in memory; nothing is used until it is touched.

    Nobody can change its size later: a reader of a shrunken mapping would be killed.
    Where the system has no such files, an unlinked temporary file stands in, unsealed.
    """
    if sys.platform != "linux":
        with tempfile.TemporaryFile() as file:
            os.ftruncate(file.fileno(), size_bytes)
            return os.dup(file.fileno())
    file_number = os.memfd_create("vision-pixels", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(file_number, size_bytes)
    seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
    fcntl.fcntl(file_number, fcntl.F_ADD_SEALS, seals)
    return file_number


def mapped(file: int, size_bytes: int = 0, *, is_writable: bool = False) -> mmap.mmap:
    """The file's bytes, or the first so many, as memory. Raises MemoryError for lack of room."""
    access = mmap.ACCESS_WRITE if is_writable else mmap.ACCESS_READ
    try:
        return mmap.mmap(file, size_bytes, access=access)
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise MemoryError from error
        raise


@contextmanager
def opened(source: Path | bytes) -> Iterator[int]:
    """A descriptor of the source's bytes, closed at the end.

    Raises EmptyFile, and OSError as `open` does. Only a regular file is a source: a pipe
    could keep us waiting for ever.
    """
    file_number = _open_path(source) if isinstance(source, Path) else _open_bytes(source)
    try:
        status = os.fstat(file_number)
        if not stat.S_ISREG(status.st_mode):
            raise UnsupportedType("the source is not a regular file")
        if not status.st_size:
            raise EmptyFile("the file has no bytes")
        yield file_number
    finally:
        os.close(file_number)


def _open_path(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK)


def _open_bytes(data: bytes) -> int:
    file_number = anonymous_file(len(data))
    view = memoryview(data)
    while view:
        view = view[os.write(file_number, view) :]
    return file_number
