"""SHA-256 of files, and the `SHA256SUMS` file that stands beside shipped weights."""

import hashlib
from pathlib import Path

SUMS_FILE = "SHA256SUMS"


def file_sha256(path: Path) -> str:
    """Hexadecimal, of the bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_sums(folder: Path) -> dict[str, str]:
    """File name to SHA-256, as `sha256sum` writes them; empty without such a file."""
    sums = folder / SUMS_FILE
    if not sums.is_file():
        return {}
    pairs = (line.split(maxsplit=1) for line in sums.read_text().splitlines() if line.strip())
    return {name.lstrip("*"): digest for digest, name in pairs}


def write_sums(folder: Path) -> Path:
    """Record every safetensors file of the folder. Called by whatever makes the files."""
    lines = (f"{file_sha256(file)}  {file.name}\n" for file in sorted(folder.glob("*.safetensors")))
    sums = folder / SUMS_FILE
    sums.write_text("".join(lines))
    return sums
