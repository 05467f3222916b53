"""One owner per breaker on this machine: a lock per device id, and a word from its owner. Knows no protocol or DP.

Two connections wedge real breakers, so nobody connects without the lock. It is an abstract Unix socket named from
sha256(id), which the kernel frees when its process ends however it ends; where there is none, a locked file.
Whoever connects to the socket is told one JSON object about the device and then disconnected.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Callable, Dict, Optional, Tuple, Union

MAX_ANSWER_BYTES = 4096
ASK_TIMEOUT_S = 0.5
HAS_ABSTRACT_SOCKETS = sys.platform.startswith("linux")
_TEXT_CHARACTERS = 200


@dataclass(frozen=True)
class OwnerState:
    """What the owner says of a device: who it is, and how the device is. age_s: since the device last answered.

    share: where it tells more to those who are allowed, "" if it does not. yields: it gives the device to a plugin.
    """

    owner: str
    connected: bool = False
    address: str = ""
    version: str = ""
    error: str = ""
    message: str = ""
    age_s: Optional[float] = None
    share: str = ""
    yields: bool = False


def socket_name(device_id: str) -> str:
    """Name in the abstract namespace; the id itself stays private."""
    return "\0tuya-breakers/" + hashlib.sha256(device_id.encode("utf-8", "replace")).hexdigest()


def lock_path(device_id: str) -> Path:
    """The lock file where there are no abstract sockets."""
    digest = hashlib.sha256(device_id.encode("utf-8", "replace")).hexdigest()
    return Path(tempfile.gettempdir()) / f"tuya-breakers-{digest[:32]}.lock"


class Lock:
    """A lock that is held. fileno(): to be watched, readable when somebody asks (-1 for a file)."""

    def __init__(self, held: Union[socket.socket, IO[str]], owner: str) -> None:
        self._held = held
        self._owner = owner

    @property
    def listens(self) -> Optional[socket.socket]:
        """The socket on which others ask, None for a lock file."""
        return self._held if isinstance(self._held, socket.socket) else None

    def answer(self, state: Callable[[], OwnerState]) -> None:
        """Tell whoever asks. Never blocks."""
        if not isinstance(self._held, socket.socket):
            return
        try:
            asker, _ = self._held.accept()
        except OSError:
            return
        with asker:
            asker.setblocking(False)
            with contextlib.suppress(OSError):
                asker.send(json.dumps(asdict(state())).encode("ascii"))

    def release(self) -> None:
        """Let others have it."""
        self._held.close()


def take(device_id: str, owner: str, share: str = "", yields: bool = False) -> Optional[Lock]:
    """The lock of this device for `owner`, or None while somebody else has it.

    share, yields: as in OwnerState, for the lock file, which answers nobody.
    """
    if HAS_ABSTRACT_SOCKETS:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.bind(socket_name(device_id))
            sock.listen(8)
            sock.setblocking(False)
        except OSError:
            sock.close()
            return None
        return Lock(sock, owner)
    return _take_file(device_id, OwnerState(owner, share=share, yields=yields))


def _take_file(device_id: str, state: OwnerState) -> Optional[Lock]:
    import fcntl  # here: not on every system

    try:
        descriptor = os.open(lock_path(device_id), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError:
        return None
    file = os.fdopen(descriptor, "r+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    file.truncate()
    file.write(json.dumps(asdict(state)))
    file.flush()
    return Lock(file, state.owner)


class Question:
    """An owner is being asked. fileno() becomes readable with the answer; read() ends it. Never blocks."""

    def __init__(self, device_id: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._data = b""
        self.open = self._socket.connect_ex(socket_name(device_id)) == 0

    def fileno(self) -> int:
        """For a selector."""
        return self._socket.fileno()

    def read(self) -> Tuple[bool, Optional[OwnerState]]:
        """Whether the answer is complete, and what it says (None: nothing understandable)."""
        try:
            data = self._socket.recv(MAX_ANSWER_BYTES)
        except BlockingIOError:
            return False, None
        except OSError:
            data = b""
        self._data += data
        if data and len(self._data) < MAX_ANSWER_BYTES:
            return False, None
        return True, parse_state(self._data)

    def close(self) -> None:
        """Give up."""
        self._socket.close()


def ask(device_id: str, timeout_s: float = ASK_TIMEOUT_S) -> Optional[OwnerState]:
    """Ask the owner of a device, waiting up to `timeout_s` (command line). None: nobody owns it.

    An owner that does not answer in time is still one: OwnerState("another program").
    """
    if not HAS_ABSTRACT_SOCKETS:
        lock = take(device_id, "")
        if lock is not None:
            lock.release()
            return None
        try:
            return parse_state(lock_path(device_id).read_bytes()) or OwnerState("another program")
        except OSError:
            return OwnerState("another program")
    data = b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout_s)
        try:
            sock.connect(socket_name(device_id))
        except OSError as error:
            return None if isinstance(error, ConnectionRefusedError) else OwnerState("another program")
        with contextlib.suppress(OSError):
            while len(data) < MAX_ANSWER_BYTES:
                more = sock.recv(MAX_ANSWER_BYTES)
                if not more:
                    break
                data += more
    return parse_state(data) or OwnerState("another program")


def parse_state(data: bytes) -> Optional[OwnerState]:
    """What an owner said, cleaned: it comes from another process. None where it cannot be understood."""
    try:
        content = json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    words: Dict[str, str] = {}
    for field in ("owner", "address", "version", "error", "message", "share"):
        value = content.get(field)
        text = value if isinstance(value, str) else ""
        words[field] = "".join(c if c.isprintable() else " " for c in text)[:_TEXT_CHARACTERS]
    age_s = content.get("age_s")
    return OwnerState(
        owner=words["owner"] or "another program",
        connected=content.get("connected") is True,
        address=words["address"],
        version=words["version"],
        error=words["error"],
        message=words["message"],
        age_s=float(age_s) if isinstance(age_s, (int, float)) and not isinstance(age_s, bool) else None,
        share=words["share"],
        yields=content.get("yields") is True,
    )
