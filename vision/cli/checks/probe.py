"""Imports the libraries that workers need, one by one; a JSON line about each. Run by
path, with the names of those that are wanted; all by default.

In a process of its own: a broken library may end it, or never return.
"""

import json
import sys
from importlib import import_module
from typing import Any

MEDIA_LIBRARIES = ("av",)
"""What reads and writes video: every host needs it."""
LIBRARIES = (
    *MEDIA_LIBRARIES,
    "torch",
    "torchvision",
    "cv2",
    "segment_anything",
    "safetensors",
    "trackers",
    "transformers",
)
CODECS = (
    *("av1", "h264", "hevc", "mjpeg", "mpeg2video", "mpeg4", "prores", "vp8", "vp9"),
    "libvpx-vp9",
)
"""Read, and the one that annotated videos are written with."""


def report(name: str) -> dict[str, object]:
    """Version, or why it can't be imported."""
    try:
        module = import_module(name)
        return {"version": getattr(module, "__version__", ""), **more(name, module)}
    except ModuleNotFoundError as error:
        return {"error": str(error), "is_absent": error.name == name}
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


def more(name: str, module: Any) -> dict[str, object]:
    """What else matters of this one."""
    if name == "torch":
        return {"gpus": gpus(module), "cuda": module.version.cuda}
    if name == "av":
        lacking = [codec for codec in CODECS if codec not in module.codecs_available]
        return {"ffmpeg": module.ffmpeg_version_info, "lacking": lacking}
    return {}


def gpus(torch: Any) -> list[dict[str, object]]:
    """Name and memory of what CUDA shows; empty without it."""
    if not torch.cuda.is_available():
        return []
    found = []
    for number in range(torch.cuda.device_count()):
        free_bytes, total_bytes = torch.cuda.mem_get_info(number)
        name = torch.cuda.get_device_name(number)
        found.append({"name": name, "free_bytes": free_bytes, "total_bytes": total_bytes})
    return found


if __name__ == "__main__":
    for library in sys.argv[1:] or LIBRARIES:
        # First the name alone: if the import ends the process, this says which it was.
        print(json.dumps({"name": library}), flush=True)  # noqa: T201
        print(json.dumps({"name": library, **report(library)}), flush=True)  # noqa: T201
    sys.exit()
