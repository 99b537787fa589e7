"""Uploads on their way in: files that exist only while a request is being received."""

import asyncio
import errno
import hashlib
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from uuid import uuid4

from vision.errors import BodyTooLarge, StorageFull, StorageUnavailable

BLOCK_BYTES: Final = 256 * 1024
"""Handed to the disk in one go. An upload holds two of them and what the socket brought last."""
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
    """Filled from the event loop while a thread hashes and writes the block before.

    An async context manager: on leaving, the file is gone unless somebody renamed it away.
    """

    def __init__(self, path: Path, *, max_bytes: int) -> None:
        self.path = path
        self.size_bytes = 0
        self._max_bytes = max_bytes
        self._digest = hashlib.sha256()
        self._block: list[bytes] = []
        self._block_bytes = 0
        self._writing: asyncio.Future[None] | None = None
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
        await self._written()
        return self._digest.hexdigest()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._writing is not None:
            await asyncio.wait([self._writing])
        self._file.close()
        self.path.unlink(missing_ok=True)

    async def _hand_over(self) -> None:
        await self._written()
        block, self._block, self._block_bytes = self._block, [], 0
        loop = asyncio.get_running_loop()
        self._writing = loop.run_in_executor(None, self._write, block)

    async def _written(self) -> None:
        if self._writing is None:
            return
        # Not awaited itself: a cancelled request must not cancel it, the thread uses the file.
        await asyncio.wait([self._writing])
        try:
            self._writing.result()
        except OSError as error:
            raise _translated(error) from error

    def _write(self, block: list[bytes]) -> None:
        for piece in block:
            self._digest.update(piece)
            rest = memoryview(piece)
            while rest:
                rest = rest[self._file.write(rest) :]


def _translated(error: OSError) -> StorageFull | StorageUnavailable:
    if error.errno in _FULL:
        return StorageFull("no room is left for uploads")
    return StorageUnavailable("uploads can't be written")
