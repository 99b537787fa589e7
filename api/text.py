"""Text from places where HTTP has only bytes."""


def decoded(raw: bytes) -> str:
    """UTF-8 where it is, else Latin-1, which fits every byte."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
