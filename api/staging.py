"""Uploads on their way in: files that exist only while a request is being received."""

import asyncio
import errno
import hashlib
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from uuid import uuid4

from vision.errors import BodyTooLarge, StorageFull, StorageUnavailable

BLOCK_BYTES: Final = 384 * 1024
"""Handed over in one go: fewer hand-overs cost less, larger blocks take more memory."""
BLOCKS_AHEAD: Final = 1
"""Waiting or being written while the next one fills."""
WRITEBACK_BYTES: Final = 8 * 1024 * 1024
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
    """Filled from the event loop while a thread of its own hashes and writes what came before.

    An async context manager: on leaving, the file is gone unless somebody renamed it away.
    """

    def __init__(self, path: Path, *, max_bytes: int) -> None:
        self.path = path
        self.size_bytes = 0
        self._max_bytes = max_bytes
        self._digest = hashlib.sha256()
        self._block: list[bytes] = []
        self._block_bytes = 0
        self._written_bytes = 0
        self._written_back_bytes = 0
        self._writing: deque[Future[None]] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="upload")
        try:
            self._file = path.open("xb", buffering=0)
        except OSError as error:
            raise _translated(error) from error

    async def add(self, piece: bytes) -> None:
        """Raises BodyTooLarge before the limit is passed, StorageFull, StorageUnavailable."""
        self.size_bytes += len(piece)
        if self.size_bytes > self._max_bytes:
            raise BodyTooLarge(f"the file is larger than the limit of {self._max_bytes} bytes")
        self._block.append(piece)
        self._block_bytes += len(piece)
        if self._block_bytes >= BLOCK_BYTES:
            await self._hand_over()

    async def complete(self) -> str:
        """Waits until all is written; the SHA-256 in hexadecimal. Raises like `add`."""
        await self._hand_over()
        while self._writing:
            await self._finish_oldest()
        return self._digest.hexdigest()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for future in self._writing:
            future.cancel()
        # In the thread, behind the write it may be in the middle of.
        removal = self._thread.submit(self._remove)
        self._thread.shutdown(wait=False)
        await asyncio.wrap_future(removal)

    async def _hand_over(self) -> None:
        while len(self._writing) >= BLOCKS_AHEAD:
            await self._finish_oldest()
        block, self._block, self._block_bytes = self._block, [], 0
        self._writing.append(self._thread.submit(self._write, block))

    async def _finish_oldest(self) -> None:
        future = self._writing.popleft()
        try:
            # Most are done by now, and waiting costs a round through the event loop.
            future.result() if future.done() else await asyncio.wrap_future(future)
        except OSError as error:
            raise _translated(error) from error

    def _write(self, block: list[bytes]) -> None:
        for piece in block:
            self._digest.update(piece)
            rest = memoryview(piece)
            while rest:
                rest = rest[self._file.write(rest) :]
            self._written_bytes += len(piece)
        self._start_writeback()

    def _start_writeback(self) -> None:
        """Has the kernel begin early with what `fsync` would otherwise wait for at the end."""
        if self._written_bytes - self._written_back_bytes < WRITEBACK_BYTES:
            return
        start = self._written_back_bytes
        self._written_back_bytes = self._written_bytes
        # Only the start of the writing matters: dirty pages stay in memory, whatever the name says.
        os.posix_fadvise(
            self._file.fileno(), start, self._written_bytes - start, os.POSIX_FADV_DONTNEED
        )

    def _remove(self) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)


def _translated(error: OSError) -> StorageFull | StorageUnavailable:
    if error.errno in _FULL:
        return StorageFull("no room is left for uploads")
    return StorageUnavailable("uploads can't be written")
