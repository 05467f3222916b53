"""One non-blocking TCP socket for one link. Knows nothing of what flows through it, and never blocks."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import struct
import sys
from typing import Callable, Optional

if sys.platform == "linux":
    import fcntl

from ..connection.link import Link
from ..limits import NEVER, READ_BYTES

MAX_BACKLOG_BYTES = 64 * 1024
_PENDING = (errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY)
_REFUSALS = (errno.ECONNREFUSED, errno.ECONNRESET)
_SIOCOUTQ = 0x5411  # linux/sockios.h: bytes that were sent or wait to be, and are not acknowledged
_INT = struct.Struct("i")
_ABORT = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: a close drops what was not sent, and resets ...
_ORDERLY = struct.pack("ii", 0, 0)  # ... and off: it is sent in the background
_READ = selectors.EVENT_READ
_WRITE = selectors.EVENT_WRITE


def _end_by(sock: socket.socket, linger: bytes) -> None:
    with contextlib.suppress(OSError):  # systems differ in the layout, and it is closed either way
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


class Channel:
    """Transport of one link, driven by the reactor: handle() for socket events, settle() for failures at once."""

    def __init__(self, selector: selectors.BaseSelector, unsettled: Callable[[Channel], None]) -> None:
        self._selector = selector
        self._unsettled = unsettled
        self._socket: Optional[socket.socket] = None
        self._connecting = False
        self._backlog = b""
        self._failure: Optional[int] = None
        self.link: Optional[Link] = None
        self.scheduled_s = NEVER

    # -- Transport

    def connect(self, address: str, port: int) -> None:
        """Begin to connect."""
        self._failure = None
        try:
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        except OSError as error:  # no more file descriptors
            self._fail(error.errno or errno.EMFILE)
            return
        self._socket = sock
        self._connecting = True
        sock.setblocking(False)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _end_by(sock, _ABORT)  # a write on its way dies with this process too, should it be killed
            result = sock.connect_ex((address, port))
            if result not in (0, *_PENDING):
                self._fail(result)
                return
            self._selector.register(sock, _WRITE, self)
        except OSError as error:
            self._fail(error.errno or errno.EIO)

    def send(self, data: bytes) -> None:
        """Send now what the kernel takes and the rest when it takes more."""
        sock = self._socket
        if sock is None:
            return
        if not self._backlog:
            try:
                data = data[sock.send(data) :]
            except BlockingIOError:
                pass
            except OSError:
                return  # the socket becomes readable and says why
        if data:
            self._backlog += data
            if len(self._backlog) > MAX_BACKLOG_BYTES:
                self._fail(errno.ENOBUFS)
                return
            self._selector.modify(sock, _READ | _WRITE, self)

    def close(self, *, abort: bool) -> None:
        """Close at once."""
        sock, self._socket = self._socket, None
        self._connecting = False
        self._backlog = b""
        self._failure = None
        if sock is None:
            return
        with contextlib.suppress(KeyError, ValueError):  # it may have failed before it was registered
            self._selector.unregister(sock)
        if not abort:
            _end_by(sock, _ORDERLY)
        sock.close()

    def is_taken(self) -> bool:
        """Whether the peer's kernel has acknowledged all bytes. False where this system does not tell."""
        sock = self._socket
        if sys.platform != "linux" or sock is None or self._backlog:
            return False
        try:
            waiting = fcntl.ioctl(sock.fileno(), _SIOCOUTQ, bytes(_INT.size))
        except OSError:
            return False
        return waiting == bytes(_INT.size)

    # -- reactor

    def handle(self, mask: int, now_s: float) -> None:
        """The socket is ready."""
        sock, link = self._socket, self.link
        if sock is None or link is None:
            return
        if self._connecting:
            self._connected(sock, link, now_s)
            return
        if mask & _WRITE:
            self._write_backlog(sock)
        if mask & _READ:
            try:
                data = sock.recv(READ_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if data:
                link.received(data, now_s)
            else:
                link.tcp_closed(now_s)

    def settle(self, now_s: float) -> None:
        """Tell the link about a failure that happened inside of one of its own calls."""
        failure, self._failure = self._failure, None
        if failure is None or self.link is None:
            return
        if self._connecting or self._socket is None:
            self.link.connect_failed(os.strerror(failure), failure in _REFUSALS, now_s)
        else:
            self.link.tcp_closed(now_s)

    def _connected(self, sock: socket.socket, link: Link, now_s: float) -> None:
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error == errno.ECONNRESET:
            # it was connected and reset before we looked: what refuses a connection is ECONNREFUSED
            self._connecting = False
            link.tcp_opened(now_s)
            link.tcp_closed(now_s)
            return
        if error:
            link.connect_failed(os.strerror(error), error in _REFUSALS, now_s)
            return
        self._connecting = False
        self._selector.modify(sock, _READ, self)
        link.tcp_opened(now_s)

    def _write_backlog(self, sock: socket.socket) -> None:
        try:
            self._backlog = self._backlog[sock.send(self._backlog) :]
        except BlockingIOError:
            return
        except OSError:
            self._backlog = b""
        if not self._backlog:
            self._selector.modify(sock, _READ, self)

    def _fail(self, number: int) -> None:
        self._failure = number
        self._unsettled(self)
