"""Files of a model hub, through the hub's own client. No torch; the client is imported here only.

The client's `hf_hub_download` (2.4) throws away what it has when its process ends. Its `http_get`
goes on from any byte, and that is what is used. Files come over plain HTTP, never by Xet.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import httpx2
from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers, disable_progress_bars  # type: ignore[attr-defined]

from vision.errors import OperatorError, TemporaryError
from vision.models.sources import RemoteFile, RemoteFolder

MAIN = "main"
INFO_SECONDS = 30.0
RANGE_NOT_SATISFIABLE, TOO_MANY_REQUESTS, SERVER_ERROR = 416, 429, 500


@dataclass(frozen=True, slots=True)
class HubRepository:
    """One repository of models at one revision; a `SnapshotSource`."""

    name: str
    """OWNER/NAME."""
    model: str
    """In our catalogue: for sentences."""
    revision: str | None = None
    """Commit, branch or tag; None: main."""
    token: str | None = None
    """None: HF_TOKEN, or that of an earlier login."""
    endpoint: str | None = None
    """None: HF_ENDPOINT, or the public hub."""

    def look(self) -> RemoteFolder:
        """What is there. Raises OperatorError, TemporaryError."""
        api = HfApi(endpoint=self.endpoint, token=self.token)
        with self._translated():
            info = api.model_info(
                self.name,
                revision=self.revision or MAIN,
                files_metadata=True,
                timeout=INFO_SECONDS,
            )
        files = {
            one.rfilename: RemoteFile(one.size, one.lfs.sha256 if one.lfs else None)
            for one in info.siblings or ()
        }
        return RemoteFolder(self.name, files, revision=info.sha)

    def fetch(
        self, name: str, part: Path, *, folder: RemoteFolder, on_bytes: Callable[[int], None]
    ) -> None:
        """Fill `part`, from where it ends. Raises OperatorError, TemporaryError."""
        disable_progress_bars("huggingface_hub.http_get")
        url = hf_hub_url(self.name, name, revision=folder.revision, endpoint=self.endpoint)
        size = folder.files[name].size_bytes
        with self._translated(), part.open("ab") as file:
            here = file.tell()
            if size is not None and here > size:
                here = file.truncate(0)
            http_get(
                url,
                cast(BinaryIO, _Counted(file, on_bytes)),
                resume_size=here,
                headers=dict(self._headers()),
                expected_size=size,
            )

    def _headers(self) -> Mapping[str, Any]:
        """Nothing compressed: a byte's place must be its place in the file."""
        return {**build_hf_headers(token=self.token), "Accept-Encoding": "identity"}

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except GatedRepoError as error:
            raise OperatorError(
                f"{self.model} is behind a gate: log in at the hub, accept the terms on the page "
                f"of {self.name}, wait until you are let in, then set HF_TOKEN to a token of yours "
                "that may read it"
            ) from error
        except RevisionNotFoundError as error:
            raise OperatorError(f"{self.name} has no revision {self.revision or MAIN}") from error
        except RepositoryNotFoundError as error:
            raise OperatorError(
                f"the hub shows no {self.name}: it is gone, or private and HF_TOKEN isn't set"
            ) from error
        except RemoteEntryNotFoundError as error:
            raise OperatorError(f"{self.name} has lost a file that it lists: {error}") from error
        except OfflineModeIsEnabled as error:
            raise OperatorError(
                f"HF_HUB_OFFLINE is set, so nothing is fetched; {self._by_hand()}"
            ) from error
        except HfHubHTTPError as error:
            raise self._refused(error) from error
        except httpx2.HTTPError as error:
            raise TemporaryError(
                f"{self.name}: {error or type(error).__name__}; run it again to go on, "
                f"or {self._by_hand()}"
            ) from error
        except OSError as error:
            if error.errno is not None:
                raise OperatorError(f"can't keep what comes: {error.strerror}") from error
            # What the client says of an answer that ended too early.
            raise TemporaryError(f"{self.name}: cut short; run it again to go on") from error

    def _refused(self, error: HfHubHTTPError) -> OperatorError | TemporaryError:
        status = error.response.status_code
        detail = f"the hub answers {status} for {self.name}"
        if status >= SERVER_ERROR or status in (TOO_MANY_REQUESTS, RANGE_NOT_SATISFIABLE):
            return TemporaryError(f"{detail}; run it again to go on")
        return OperatorError(f"{detail}; see that HF_TOKEN is right and may read it")

    def _by_hand(self) -> str:
        return (
            "without a network bring the files of the model's page in a folder and run "
            f"`vision models import {self.model} FOLDER`"
        )


class _Counted:
    """A file that tells how far it is; the few methods that `http_get` calls."""

    def __init__(self, file: BinaryIO, on_bytes: Callable[[int], None]) -> None:
        self._file = file
        self._on_bytes = on_bytes
        self.seek, self.tell, self.truncate = file.seek, file.tell, file.truncate

    def write(self, data: bytes) -> int:
        written = self._file.write(data)
        self._file.flush()
        self._on_bytes(self._file.tell())
        return written
