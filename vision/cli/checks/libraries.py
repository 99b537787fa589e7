"""Python and the libraries that workers need."""

import json
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from vision.cli.checks import probe
from vision.cli.checks.finding import Finding, missing, ok, warn

OLDEST_PYTHON = (3, 11)
PROBE = (sys.executable, "-P", str(Path(probe.__file__)))
"""Without its folder on the path: what lies beside it isn't for torch to import."""
PROBE_SECONDS = 180.0
"""A first import of torch from a cold disk takes a minute on a small machine."""
INSTALL = "install vision-service[models], or use `vision doctor --part api` on an API host"
INSTALL_CORE = "install vision-service anew: no video can be read or drawn without it"
SYSTEM_LIBRARIES = "on Debian or Ubuntu: apt-get install libgl1 libglib2.0-0"
"""What opencv-python's wheel leaves to the system: libGL, libglib and what they bring."""
NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")
GIB = 1024**3

Report = Mapping[str, Any]
"""What the probe says about one library."""


def python() -> Finding:
    found = platform.python_version()
    if sys.version_info >= OLDEST_PYTHON:
        return ok("Python", f"{found} at {sys.executable}")
    return missing("Python", found, "install Python 3.11 or newer and make .venv anew")


def worker_libraries(device: str) -> Iterator[Finding]:
    """Everything that the probe can tell; `device` is the setting."""
    reports = probed()
    for name in probe.LIBRARIES:
        report = reports.get(name, {"error": "not reached"})
        yield video(report) if name in probe.MEDIA_LIBRARIES else library(name, report)
    yield from opencv_packages()
    yield gpu(reports.get("torch", {}), device)


def media_libraries() -> Iterator[Finding]:
    """The same of what a host without models needs."""
    reports = probed((*PROBE, *probe.MEDIA_LIBRARIES))
    for name in probe.MEDIA_LIBRARIES:
        yield video(reports.get(name, {"error": "not reached"}))


def video(report: Report) -> Finding:
    """PyAV, which reads and writes video, and the codecs that its FFmpeg was built with."""
    if "error" in report:
        return library("av", report)
    lacking = report.get("lacking", ())
    detail = f"{report.get('version')} with FFmpeg {report.get('ffmpeg')}"
    if not lacking:
        return ok("av", detail)
    advice = "install PyAV's own wheel: pip install --force-reinstall --only-binary :all: av"
    return warn("av", f"{detail} lacks {', '.join(lacking)}", advice)


def probed(
    argv: tuple[str, ...] = PROBE,
) -> dict[str, Report]:
    """Reports by library; the one that ended the process has that as its error."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=PROBE_SECONDS)
        output, ending = done.stdout, f"its import ended the process ({done.returncode})"
    except subprocess.TimeoutExpired as expired:
        output = (expired.stdout or b"").decode(errors="replace")
        ending = f"its import takes longer than {PROBE_SECONDS:g} s"
    reports: dict[str, Report] = {}
    for line in output.splitlines():
        if line.startswith("{"):
            report = json.loads(line)
            reports[report["name"]] = report if len(report) > 1 else {"error": ending}
    return reports


def library(name: str, report: Report) -> Finding:
    """Whether it can be imported."""
    if "error" not in report:
        return ok(name, str(report.get("version")) or "can be imported")
    error = str(report["error"]).strip().partition("\n")[0]
    return missing(name, error, _advice(name, report))


def _advice(name: str, report: Report) -> str:
    if report.get("is_absent"):
        return INSTALL_CORE if name in probe.MEDIA_LIBRARIES else INSTALL
    if name == "cv2" and ".so" in str(report["error"]):
        return SYSTEM_LIBRARIES
    if name in ("torch", "torchvision"):
        return "the two must fit each other: install both anew as requirements.lock pins them"
    return f"install {name} anew as requirements.lock pins it"


def opencv_packages() -> Iterator[Finding]:
    """Two of them write into one folder `cv2`: the last one installed wins, in part."""
    names = ("opencv-python", "opencv-python-headless", "opencv-contrib-python")
    found = [name for name in names if _is_installed(name)]
    if len(found) > 1:
        advice = f"uninstall {', '.join(found)}; then install opencv-python again"
        yield warn("OpenCV packages", f"{' and '.join(found)} share one folder", advice)


def gpu(torch: Report, device: str) -> Finding:
    """CUDA as torch sees it."""
    found = torch.get("gpus", ())
    if found:
        return ok("GPU", "; ".join(_described(each) for each in found))
    if device.startswith("cuda"):
        return missing("GPU", f"VISION_DEVICE is {device}, but torch sees no GPU", _gpu_advice())
    if NVIDIA_DRIVER.exists():
        return warn("GPU", "the driver is here, but torch sees no GPU", _gpu_advice())
    return ok("GPU", "none: models run on the CPU")


def _gpu_advice() -> str:
    if not NVIDIA_DRIVER.exists():
        return "install the NVIDIA driver; in a container, start it with a GPU"
    return "torch needs a CUDA build and a driver new enough for it: compare `nvidia-smi`"


def _described(found: Mapping[str, Any]) -> str:
    free, total = found["free_bytes"] / GIB, found["total_bytes"] / GIB
    return f"{found['name']}, {free:.1f} of {total:.1f} GiB free"


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
