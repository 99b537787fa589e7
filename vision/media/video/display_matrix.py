"""How a player turns a video's stored pictures, told as one of EXIF's eight orientations."""

import struct
from typing import cast

from av.sidedata.sidedata import SideDataContainer, Type
from av.video.frame import VideoFrame

UPRIGHT = 1
_MATRIX = struct.Struct("=9i")
# By whether x and y change places, and whether x and y of the upright picture run backwards.
_ORIENTATIONS = {
    (False, False, False): 1,
    (False, True, False): 2,
    (False, True, True): 3,
    (False, False, True): 4,
    (True, False, False): 5,
    (True, True, False): 6,
    (True, True, True): 7,
    (True, False, True): 8,
}
_TURNED = {0: 1, 1: 8, 2: 3, 3: 6}
"""By quarters of a turn, counterclockwise."""
_DEGREES_CLOCKWISE = {1: 0, 2: 0, 3: 180, 4: 180, 5: 270, 6: 90, 7: 90, 8: 270}


def orientation(frame: VideoFrame) -> int:
    """1 to 8: what `rgb.upright` has to undo; the nearest one of an oblique matrix."""
    try:
        matrix = bytes(cast(SideDataContainer, frame.side_data)[Type.DISPLAYMATRIX])
    except KeyError:
        return UPRIGHT
    except ValueError:  # a kind of data is there that PyAV has no name for
        return _TURNED.get(round(frame.rotation / 90) % 4, UPRIGHT)
    return _orientation(*_MATRIX.unpack(matrix)) if len(matrix) == _MATRIX.size else UPRIGHT


def rotation(orientation: int) -> int:
    """Degrees clockwise, after the mirroring that orientations 2, 4, 5 and 7 begin with."""
    return _DEGREES_CLOCKWISE[orientation]


def _orientation(*matrix: int) -> int:
    """x' = a·x + c·y and y' = b·x + d·y, y downwards."""
    a, b, _, c, d, *_ = matrix
    if abs(b) + abs(c) > abs(a) + abs(d):
        return _ORIENTATIONS[True, c < 0, b < 0]
    return _ORIENTATIONS[False, a < 0, d < 0]
