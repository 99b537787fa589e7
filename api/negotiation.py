"""The Accept header, RFC 9110 section 12.5.1."""

from collections.abc import Sequence

from starlette.exceptions import HTTPException


def preferred(accept: str | None, offered: Sequence[str]) -> str:
    """The offered media type that the client likes best; the first one where it doesn't care.

    Raises HTTPException 406 when it takes none of them.
    """
    wishes = _wishes(accept or "*/*")
    best = max(offered, key=lambda media_type: _quality(media_type, wishes))
    if _quality(best, wishes) <= 0:
        raise HTTPException(406, f"there is {' or '.join(offered)}, and none of them is accepted")
    return best


def _wishes(accept: str) -> dict[str, float]:
    wishes: dict[str, float] = {}
    for wish in accept.split(","):
        name, *parameters = (part.strip().lower() for part in wish.split(";"))
        wishes[name] = min((_q(each) for each in parameters if each.startswith("q=")), default=1.0)
    return wishes


def _q(parameter: str) -> float:
    try:
        return float(parameter.removeprefix("q="))
    except ValueError:
        return 0.0


def _quality(media_type: str, wishes: dict[str, float]) -> float:
    family = media_type.split("/")[0] + "/*"
    ranges = (media_type, family, "*/*")  # the most special one decides
    return next((wishes[each] for each in ranges if each in wishes), 0.0)
