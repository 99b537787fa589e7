"""Every error the product raises on purpose, drawn by who must act.

    VisionError
    ├── CallerError          the caller: change the request or the file
    │   ├── InvalidRequest      a field is wrong; `errors` names each
    │   │   └── InvalidPipeline
    │   ├── NotFound            no such thing, or not yours: the same answer
    │   ├── Conflict            the thing is in a state that forbids this
    │   ├── IdempotencyKeyReused, BodyTooLarge, UnknownModel, LicenseNotAccepted
    │   ├── NeedsVideo, NothingToFollow
    │   └── BadMedia            the file itself
    │       ├── EmptyFile, UnsupportedType, CorruptMedia, TruncatedMedia
    │       ├── CorruptVideo, NoVideoStream, NoFrames, UnsupportedCodec
    │       ├── MediaTooLarge, VideoTooLarge, VideoTooLong
    │       └── DecodeTimeout, DecoderCrashed
    ├── TemporaryError       time: the same call may succeed later
    │   ├── StorageUnavailable, StorageFull, QueueUnavailable
    │   └── TooBusy
    └── OperatorError        us: something on this machine must be set right
        ├── WeightsMissing, WeightsMismatch
        ├── DeviceMemoryFull, DeviceBroken
        └── MissingDependency

`code` is a promise to programs; the sentence is for people and names the thing and the limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field of a request."""

    field: str
    """Dotted path, such as detect.model."""
    detail: str


class VisionError(Exception):
    """Base of all errors raised on purpose."""

    code: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False


class CallerError(VisionError):
    """The request or the file must change."""

    code = "bad_request"


class InvalidRequest(CallerError):
    """Fields are missing, unknown or don't fit each other."""

    code = "invalid_request"

    def __init__(self, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.errors = tuple(errors)


class InvalidPipeline(InvalidRequest):
    """The pipeline document can't be run as it is."""

    code = "invalid_pipeline"


class NotFound(CallerError):
    """No such thing for this caller."""

    code = "not_found"


class Conflict(CallerError):
    """The thing's state forbids it."""

    code = "conflict"


class IdempotencyKeyReused(CallerError):
    """The key was used before with another request."""

    code = "idempotency_key_reused"


class NeedsVideo(CallerError):
    """A stage that looks at stretches of time was given an image."""

    code = "needs_video"


class NothingToFollow(CallerError):
    """What was pointed at lies in a part of the video that has no results."""

    code = "nothing_to_follow"


class BadMedia(CallerError):
    """The file can't be processed, however often one tries."""

    code = "bad_media"


class EmptyFile(BadMedia):
    """No bytes at all."""

    code = "empty_file"


class UnsupportedType(BadMedia):
    """The content is none of the types we read."""

    code = "unsupported_type"


class CorruptMedia(BadMedia):
    """The content breaks the rules of its own type."""

    code = "image_corrupt"


class TruncatedMedia(BadMedia):
    """The content ends too early."""

    code = "image_truncated"


class MediaTooLarge(BadMedia):
    """More pixels than the limit."""

    code = "image_too_large"


class CorruptVideo(BadMedia):
    """Not one frame of the video can be had."""

    code = "video_corrupt"


class NoVideoStream(BadMedia):
    """A container without moving pictures, such as sound alone."""

    code = "no_video_stream"


class NoFrames(BadMedia):
    """A video without a frame, or without one in the wanted stretch of time."""

    code = "no_frames"


class UnsupportedCodec(BadMedia):
    """A container that we read with a codec that we don't."""

    code = "unsupported_codec"


class VideoTooLarge(BadMedia):
    """Frames of more pixels than the limit."""

    code = "video_too_large"


class VideoTooLong(BadMedia):
    """More seconds or more frames than the limit."""

    code = "video_too_long"


class BodyTooLarge(CallerError):
    """More bytes than the limit."""

    code = "body_too_large"


class DecodeTimeout(BadMedia):
    """Decoding took longer than the limit."""

    code = "decode_timeout"


class DecoderCrashed(BadMedia):
    """The decode process died on this file, twice."""

    code = "decoder_crashed"


class TemporaryError(VisionError):
    """Time may cure it."""

    code = "temporarily_unavailable"
    retryable = True


class StorageUnavailable(TemporaryError):
    """The database or the blob store doesn't answer."""

    code = "storage_unavailable"


class StorageFull(TemporaryError):
    """No room left for blobs."""

    code = "storage_full"


class QueueUnavailable(TemporaryError):
    """The bell can't be rung; work starts at the next tick."""

    code = "queue_unavailable"


class TooBusy(TemporaryError):
    """A limit on work in progress is reached."""

    code = "too_busy"


class OperatorError(VisionError):
    """Something on this machine must be set right."""

    code = "operator_action_needed"


class UnknownModel(CallerError):
    """No model of that name in the catalogue."""

    code = "unknown_model"


class LicenseNotAccepted(CallerError):
    """A model under terms that somebody has to accept first; the sentence says how."""

    code = "license_not_accepted"


class WeightsMissing(OperatorError):
    """The weights file isn't here; the sentence names the command that fetches it."""

    code = "weights_missing"


class WeightsMismatch(OperatorError):
    """The weights file isn't the one the catalogue names, or doesn't fit the network."""

    code = "weights_mismatch"


class MissingDependency(OperatorError):
    """A library or program isn't installed."""

    code = "missing_dependency"


class DeviceMemoryFull(OperatorError):
    """The device has no room for this much at once."""

    code = "out_of_memory"


class DeviceBroken(OperatorError):
    """The device is in a state that only a new process leaves."""

    code = "device_broken"
