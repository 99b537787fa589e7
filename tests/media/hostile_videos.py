"""Videos that want to open something else, and ways to notice it."""

import ctypes
import io
import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from video_files import numbered

_IN_OPEN = 0x20


@contextmanager
def listener() -> Iterator[tuple[int, list[object]]]:
    """A port on loopback, and who called there."""
    calls: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        done = threading.Event()

        def listen() -> None:
            while not done.is_set():
                try:
                    connection, address = server.accept()
                except TimeoutError:
                    continue
                calls.append(address)
                connection.close()

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield server.getsockname()[1], calls
        finally:
            done.set()
            thread.join()


class OpenWatch:
    """Whether anybody opened a file since."""

    def __init__(self, path: Path) -> None:
        libc = ctypes.CDLL(None)
        self._file = libc.inotify_init1(os.O_NONBLOCK)
        assert libc.inotify_add_watch(self._file, os.fsencode(path), _IN_OPEN) > 0

    def was_opened(self) -> bool:
        try:
            return bool(os.read(self._file, 4096))
        except BlockingIOError:
            return False
        finally:
            os.close(self._file)


def playlists(sibling: Path, port: int) -> dict[str, bytes]:
    """Texts that some demuxer of FFmpeg follows, by what they are."""
    url, path = f"http://127.0.0.1:{port}/x", str(sibling)
    hls = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n{}#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n"
    key = f'#EXT-X-KEY:METHOD=AES-128,URI="{url}"\n'
    texts = {
        "hls-file": hls.format("", path),
        "hls-relative": hls.format("", sibling.name),
        "hls-http": hls.format("", url),
        "hls-key": hls.format(key, path),
        "hls-nested": f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{url}.m3u8\n",
        "hls-concat": hls.format("", f"concat:{path}|{path}"),
        "hls-subfile": hls.format("", f"subfile,,start,0,end,900,,:{path}"),
        "hls-data": hls.format("", "data:video/mp2t;base64,R0AAEA=="),
        "hls-crypto": hls.format("", f"crypto:{path}"),
        "ffconcat-relative": f"ffconcat version 1.0\nfile {sibling.name}\n",
        "ffconcat-absolute": f"ffconcat version 1.0\nfile '{path}'\n",
        "ffconcat-http": f"ffconcat version 1.0\nfile {url}\n",
        "dash": f'<?xml version="1.0"?><MPD><Period><BaseURL>{url}</BaseURL></Period></MPD>',
        "sdp": f"v=0\r\nc=IN IP4 127.0.0.1\r\nm=video {port} RTP/AVP 96\r\n",
        "rtsp": f"rtsptextRTSP://127.0.0.1:{port}/x\r\n",
        "asx": f'<asx version="3.0"><entry><ref href="{url}"/></entry></asx>',
        "pls": f"[playlist]\nFile1={url}\nNumberOfEntries=1\n",
        "imf": f'<?xml version="1.0"?><CompositionPlaylist>{url}</CompositionPlaylist>',
    }
    return {name: text.encode() for name, text in texts.items()}


def with_data_reference(mp4: bytes, target: str) -> bytes:
    """The same MP4 saying that its pictures are in another file. Its table must be at the end."""
    reference = b"\x00" * 4 + target.encode() + b"\x00"
    box = struct.pack(">I4s", 8 + len(reference), b"url ") + reference
    place = mp4.index(b"dref") - 4
    size = struct.unpack_from(">I", mp4, place)[0]
    new = struct.pack(">I4sII", 16 + len(box), b"dref", 0, 1) + box
    data = bytearray(mp4[:place] + new + mp4[place + size :])
    for name in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
        at = data.index(name) - 4
        struct.pack_into(">I", data, at, struct.unpack_from(">I", data, at)[0] + len(new) - size)
    return bytes(data)


def avi_with_subtitle(text: bytes, *, frames: int = 3) -> bytes:
    """Pictures, and a stream of subtitles that is the text: how a playlist once got in."""
    name = "x".encode("utf-16-le")
    head = struct.pack("<HI", 2, len(name)) + name + struct.pack("<HI", 4, len(text))
    subtitle = b"GAB2\x00" + head + text
    pictures = [_chunk(b"00dc", _jpeg(n)) for n in range(frames)]
    movie = b"movi" + pictures[0] + _chunk(b"01tx", subtitle) + b"".join(pictures[1:])
    main = struct.pack("<14I", 40_000, 0, 0, 0, frames, 0, 2, 0, 160, 120, 0, 0, 0, 0)
    bitmap = struct.pack("<IiiHH4sIiiII", 40, 160, 120, 1, 24, b"MJPG", 57_600, 0, 0, 0, 0)
    header = b"hdrl" + _chunk(b"avih", main)
    header += _list(b"strl" + _chunk(b"strh", _stream(b"vids", frames)) + _chunk(b"strf", bitmap))
    header += _list(b"strl" + _chunk(b"strh", _stream(b"txts", 1)) + _chunk(b"strf", b""))
    body = b"AVI " + _list(header) + _list(movie)
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def _stream(kind: bytes, length: int) -> bytes:
    codec = b"MJPG" if kind == b"vids" else b"\x00" * 4
    times = struct.pack("<IHHIIIIIIII", 0, 0, 0, 0, 1, 25, 0, length, 0, 0, 0)
    return kind + codec + times + struct.pack("<4h", 0, 0, 160, 120)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", name, len(body)) + body + b"\x00" * (len(body) % 2)


def _list(body: bytes) -> bytes:
    return _chunk(b"LIST", body)


def _jpeg(n: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(numbered(n)).save(file, "JPEG", quality=90)
    return file.getvalue()
