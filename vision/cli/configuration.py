"""The settings of one command: its options first, then the environment, then `.env`."""

from typing import Any

from pydantic import ValidationError

from vision.errors import FieldError, InvalidRequest
from vision.settings import Settings


def read_settings(**options: Any) -> Settings:
    """Options that are None weren't given. Raises InvalidRequest naming each wrong variable."""
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        wrong = [
            FieldError(f"VISION_{'.'.join(map(str, one['loc'])).upper()}", one["msg"])
            for one in error.errors()
        ]
        raise InvalidRequest("the settings can't be used", wrong) from error
