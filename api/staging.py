"""Uploads on their way in: files that exist only while a request is being received."""

import asyncio
import errno
import fcntl
import hashlib
import mmap
import os
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from uuid import uuid4

from vision.errors import BodyTooLarge, StorageFull, StorageUnavailable

BLOCK_BYTES: Final = 768 * 1024
"""Handed over in one go: fewer hand-overs cost less, larger blocks take more memory."""
CACHED_BYTES: Final = 16 * 1024 * 1024
"""What a picture has that somebody waits for stays in memory for the worker. What comes after that
goes straight to the disk: fresh pages of the cache cost more than the disk (docs/benchmarks.md)."""
_DIRECT: Final = getattr(os, "O_DIRECT", 0)
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Staging:
    """A folder for uploads on the file system of the blobs, so that keeping one is a rename.

    What a killed process leaves there is swept by the tick.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, *, max_bytes: int) -> "StagedFile":
        """A new file for one upload. Raises StorageFull, StorageUnavailable."""
        return StagedFile(self.folder / uuid4().hex, max_bytes=max_bytes)


class StagedFile:
    """Filled from the event loop while threads of its own hash and write what came before.

    An async context manager: on leaving, the file is gone unless somebody renamed it away.
    """

    def __init__(self, path: Path, *, max_bytes: int) -> None:
        self.path = path
        self.size_bytes = 0
        self._max_bytes = max_bytes
        self._digest = hashlib.sha256()
        # Maps begin on a page, as direct writing wants its memory.
        self._filling, self._spare = (mmap.mmap(-1, BLOCK_BYTES) for _ in range(2))
        self._filled_bytes = 0
        self._pending: tuple[Future[None], ...] = ()
        """Of the block before: its hash and its way to the disk, side by side."""
        self._written_bytes = 0
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="upload")
        try:
            self._file = path.open("xb", buffering=0)
        except OSError as error:
            raise _translated(error) from error

    async def add(self, piece: bytes) -> None:
        """Raises BodyTooLarge before the limit is passed, StorageFull, StorageUnavailable."""
        self.size_bytes += len(piece)
        if self.size_bytes > self._max_bytes:
            raise BodyTooLarge(f"the file is larger than the limit of {self._max_bytes} bytes")
        rest = memoryview(piece)
        while rest:
            start = self._filled_bytes
            taken = rest[: BLOCK_BYTES - start]
            self._filling[start : start + len(taken)] = taken
            self._filled_bytes += len(taken)
            rest = rest[len(taken) :]
            if self._filled_bytes == BLOCK_BYTES:
                await self._hand_over()

    async def complete(self) -> str:
        """Waits until all is written; the SHA-256 in hexadecimal. Raises like `add`."""
        await self._hand_over()
        await self._finish_pending()
        return self._digest.hexdigest()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        # In a thread, behind the write that may be going on.
        removal = self._threads.submit(self._remove, self._pending)
        self._threads.shutdown(wait=False)
        await asyncio.wrap_future(removal)

    async def _hand_over(self) -> None:
        """The full block goes to the threads, and what they had last is filled next."""
        await self._finish_pending()
        block, size_bytes = self._filling, self._filled_bytes
        self._pending = (
            self._threads.submit(self._hash, block, size_bytes),
            self._threads.submit(self._write, block, size_bytes),
        )
        self._filling, self._spare = self._spare, self._filling
        self._filled_bytes = 0

    async def _finish_pending(self) -> None:
        for future in self._pending:
            try:
                # Most are done by now, and waiting costs a round through the event loop.
                future.result() if future.done() else await asyncio.wrap_future(future)
            except OSError as error:
                raise _translated(error) from error

    def _hash(self, block: mmap.mmap, size_bytes: int) -> None:
        with memoryview(block) as whole, whole[:size_bytes] as filled:
            self._digest.update(filled)

    def _write(self, block: mmap.mmap, size_bytes: int) -> None:
        self._choose_way(size_bytes)
        with memoryview(block) as whole:
            written = 0
            while written < size_bytes:
                with whole[written:size_bytes] as rest:
                    written += self._file.write(rest)
        self._written_bytes += size_bytes

    def _choose_way(self, size_bytes: int) -> None:
        """Through the cache, or past it: there only whole pages can be written."""
        is_direct = size_bytes == BLOCK_BYTES and self._written_bytes >= CACHED_BYTES
        flags = fcntl.fcntl(self._file, fcntl.F_GETFL)
        wanted = flags | _DIRECT if is_direct else flags & ~_DIRECT
        if wanted != flags:
            with suppress(OSError):  # not every file system can
                fcntl.fcntl(self._file, fcntl.F_SETFL, wanted)

    def _remove(self, pending: tuple[Future[None], ...]) -> None:
        wait(pending)
        self._file.close()
        self.path.unlink(missing_ok=True)


def _translated(error: OSError) -> StorageFull | StorageUnavailable:
    if error.errno in _FULL:
        return StorageFull("no room is left for uploads")
    return StorageUnavailable("uploads can't be written")
