"""What a server may answer instead of what was asked."""

from collections.abc import Sequence

from vision.errors import CallerError, FieldError, TemporaryError

UNPROCESSABLE = 422
NOT_FOUND = 404
CONFLICT = 409


class ServerUnreachable(TemporaryError):
    """Nothing answers there, or not in time, or it asks to come back later."""

    code = "server_unreachable"


class ServerRefused(CallerError):
    """The server answered with a problem document: its own sentence, and its stable code."""

    code = "server_refused"

    def __init__(
        self, detail: str, *, status: int, problem_code: str, errors: Sequence[FieldError] = ()
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.problem_code = problem_code
        self.errors = tuple(errors)
