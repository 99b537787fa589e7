"""Images and video in, structured, queryable detections out: the library under the service."""

from importlib.metadata import version

__version__ = version("vision-service")
