"""One file over HTTP into a partial file, continued where an earlier attempt stopped."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from vision.errors import Conflict, OperatorError, TemporaryError

OnProgress = Callable[[int, int | None], None]
"""Called with bytes here and bytes in all; None when the server doesn't tell."""

TIMEOUT_SECONDS = 30.0
PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE = 206, 416


def download(url: str, part: Path, *, on_progress: OnProgress | None = None) -> None:
    """Fill `part`; what it holds already is kept and continued if the server can.

    Raises TemporaryError when the connection fails (call again to go on), OperatorError when
    the server refuses.
    """
    try:
        complete = _fetch(url, part, on_progress)
        if not complete:  # what we hold isn't the start of the file
            part.unlink(missing_ok=True)
            _fetch(url, part, on_progress)
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        kind = TemporaryError if status >= httpx.codes.INTERNAL_SERVER_ERROR else OperatorError
        raise kind(f"the server answers {status} for {url}") from error
    except httpx.HTTPError as error:
        raise TemporaryError(f"{url}: {error or type(error).__name__}; run it again") from error


@contextmanager
def exclusive(lock: Path, otherwise: str) -> Iterator[None]:
    """Hold a lock file. Raises Conflict with `otherwise` when another process holds it."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(f"{otherwise} by another process") from error
        yield


def _fetch(url: str, part: Path, on_progress: OnProgress | None) -> bool:
    """False when the server can't continue from where `part` ends."""
    here = part.stat().st_size if part.is_file() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={here}-"} if here else {})
    with httpx.stream(
        "GET", url, headers=headers, timeout=TIMEOUT_SECONDS, follow_redirects=True
    ) as answer:
        if answer.status_code == RANGE_NOT_SATISFIABLE and here:
            return False
        answer.raise_for_status()
        _write(answer, part, here=here, on_progress=on_progress)
    return True


def _write(
    answer: httpx.Response, part: Path, *, here: int, on_progress: OnProgress | None
) -> None:
    continues = answer.status_code == PARTIAL_CONTENT
    done = here if continues else 0
    length = answer.headers.get("Content-Length")
    total = None if length is None else done + int(length)
    with part.open("ab" if continues else "wb") as file:
        for block in answer.iter_raw():  # as they come: a broken connection loses none
            file.write(block)
            done += len(block)
            if on_progress is not None:
                on_progress(done, total)
