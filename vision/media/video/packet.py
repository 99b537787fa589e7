"""A packet of a video stream, for type checkers: at run time PyAV's class takes no parameter."""

from typing import TYPE_CHECKING, TypeAlias

from av.packet import Packet

if TYPE_CHECKING:
    from av.video.stream import VideoStream

    VideoPacket: TypeAlias = Packet[VideoStream]
else:
    VideoPacket: TypeAlias = Packet
