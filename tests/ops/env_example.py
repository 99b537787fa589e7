"""Writes .env.example anew: `python -m tests.ops.env_example`, after a setting changed."""

from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from vision.settings import Settings

EXAMPLE = Path(__file__).parents[2] / ".env.example"
HEADER = """\
# Every setting of the product, with what it means and its default. Copy to `.env` in the working
# directory, or set the same names in the environment, which wins.


# For docker-compose.yml only. The passwords become parts of URLs: letters and digits, for
# instance from `openssl rand -hex 24`.

POSTGRES_PASSWORD=
REDIS_PASSWORD=

# Where the API can be reached on this machine.
# API_PUBLISH=127.0.0.1:8000

# Containers with a GPU, and without one.
# GPU_WORKERS=1
# CPU_WORKERS=0


# For every part of the service, and for the command line.
"""


def rendered() -> str:
    """What the file ought to say."""
    blocks = [setting_block(name, field) for name, field in Settings.model_fields.items()]
    return "\n".join([HEADER, *blocks])


def setting_block(name: str, field: FieldInfo) -> str:
    """Its description and, commented out, its default."""
    return f"# {field.description}\n# VISION_{name.upper()}={_default(field)}\n"


def _default(field: FieldInfo) -> str:
    default = field.default
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    return "" if default is None else str(default)


if __name__ == "__main__":
    EXAMPLE.write_text(rendered())
