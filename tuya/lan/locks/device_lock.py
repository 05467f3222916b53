"""One owner per breaker on this machine: a lock per device id, and a word from its owner.

Two connections wedge real breakers, so nobody connects without the lock. It is an abstract Unix socket named from
sha256(id), which the kernel frees when its process ends however it ends; where there is none, a locked file.
Whoever connects to the socket, and is trusted (peer_credentials), is told one JSON object about the device.

Anybody on the machine can bind that name first. Who is not trusted is passed over: then the lock is a name of our own,
the first one with something random behind it, which nobody can know before. All names that begin with the first one
are looked up in the kernel's list, and those of trusted users count, whichever they are.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import socket
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Callable, Dict, Optional, Set, Tuple, Union

from .bound_names import users_of
from .peer_credentials import is_owner, is_trusted, may_own, peer_of

MAX_ANSWER_BYTES = 4096
ASK_TIMEOUT_S = 0.5
HAS_ABSTRACT_SOCKETS = sys.platform.startswith("linux")
MAX_AGE_S = 1e9
_TEXT_CHARACTERS = 200
_PROGRAM_CHARACTERS = 40


@dataclass(frozen=True)
class OwnerState:
    """What the owner says of a device: who it is, and how the device is. age_s: since the device last answered.

    share: where it tells more to those who are allowed, "" if it does not. yields: it gives the device to a plugin.
    process: its number and program as the kernel tells them, "" where that is not known; never told by itself.
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
    process: str = ""

    def __str__(self) -> str:
        return f"{self.owner} ({self.process})" if self.process else self.owner


def socket_name(device_id: str) -> str:
    """Name in the abstract namespace; the id itself stays private."""
    return "\0tuya-breakers/" + hashlib.sha256(device_id.encode("utf-8", "replace")).hexdigest()


def lock_path(device_id: str) -> Path:
    """The lock file where there are no abstract sockets."""
    digest = hashlib.sha256(device_id.encode("utf-8", "replace")).hexdigest()
    return Path(tempfile.gettempdir()) / f"tuya-breakers-{digest[:32]}.lock"


class Lock:
    """A lock that is held. squatter: the user without a right to it who was passed over, "" if there was none."""

    def __init__(self, held: Union[socket.socket, IO[str]], owner: str, squatter: str = "") -> None:
        self._held = held
        self._owner = owner
        self.squatter = squatter

    @property
    def listens(self) -> Optional[socket.socket]:
        """The socket on which others ask, None for a lock file."""
        return self._held if isinstance(self._held, socket.socket) else None

    def answer(self, state: Callable[[], OwnerState]) -> None:
        """Tell whoever asks and is trusted. Never blocks. Raises OSError without file descriptors."""
        if not isinstance(self._held, socket.socket):
            return
        try:
            asker, _ = self._held.accept()
        except BlockingIOError:
            return  # it has gone away
        with asker:
            asker.setblocking(False)
            if is_trusted(asker):
                with contextlib.suppress(OSError):
                    asker.send(json.dumps(asdict(state())).encode("ascii"))

    def release(self) -> None:
        """Let others have it."""
        self._held.close()


def take(device_id: str, owner: str, share: str = "", yields: bool = False) -> Optional[Lock]:
    """The lock of this device for `owner`, or None while somebody else has it.

    share, yields: as in OwnerState, for the lock file, which answers nobody. Raises OSError where this machine gives
    no lock to anybody (no file descriptors).
    """
    if HAS_ABSTRACT_SOCKETS:
        return _take_name(device_id, owner)
    return _take_file(device_id, OwnerState(owner, share=share, yields=yields))


def _take_name(device_id: str, owner: str) -> Optional[Lock]:
    first = socket_name(device_id)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        mine, squatter = first, ""
        try:
            sock.bind(first)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            user = users_of(first, socket.SOCK_STREAM).get(first)
            if user is None or may_own(user):
                sock.close()
                return None
            squatter = user_name(user)
            mine = f"{first}/{os.urandom(8).hex()}"
            sock.bind(mine)
        sock.listen(8)
        sock.setblocking(False)
        # after ours is bound: of two who do this at once at least one sees the other
        if _trusted_names(first) - {mine}:
            sock.close()
            return None
    except OSError:
        sock.close()
        raise
    return Lock(sock, owner, squatter)


def _trusted_names(first: str) -> Set[str]:
    """The names of locks of one device which are held by somebody who may."""
    return {name for name, user in users_of(first, socket.SOCK_STREAM).items() if may_own(user)}


def holder_name(device_id: str) -> str:
    """The name under which the owner of a device listens; the usual one where none is seen, "" where it is squatted."""
    first = socket_name(device_id)
    users = users_of(first, socket.SOCK_STREAM)
    usual = first if users.get(first) is None else ""
    return min((name for name, user in users.items() if may_own(user)), default=usual)


def foreign_name(device_id: str) -> str:
    """The name under which somebody holds a device whose word does not count; "" where there is none."""
    users = users_of(socket_name(device_id), socket.SOCK_STREAM) if HAS_ABSTRACT_SOCKETS else {}
    return min((name for name, user in users.items() if user is not None and not may_own(user)), default="")


def user_name(user: int) -> str:
    """A user of this machine as a log names him."""
    with contextlib.suppress(ImportError, KeyError, OSError):
        import pwd  # here: not on every system

        return f"user {pwd.getpwuid(user).pw_name}"
    return f"user number {user}"


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
    """An owner is being asked. fileno() becomes readable with the answer; read() ends it. Never blocks.

    Raises OSError without file descriptors.
    """

    def __init__(self, device_id: str) -> None:
        name = holder_name(device_id)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._data = b""
        self.open = name != "" and self._socket.connect_ex(name) == 0 and is_owner(self._socket)

    def fileno(self) -> int:
        """For a selector."""
        return self._socket.fileno()

    @property
    def process(self) -> str:
        """Who is asked, as OwnerState.process."""
        return _process_behind(self._socket)

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
    name = holder_name(device_id)
    if not name:
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout_s)
        try:
            sock.connect(name)
        except OSError as error:
            return None if isinstance(error, ConnectionRefusedError) else OwnerState("another program")
        if not is_owner(sock):
            return None  # who has no right to it keeps nobody away
        with contextlib.suppress(OSError):
            while len(data) < MAX_ANSWER_BYTES:
                more = sock.recv(MAX_ANSWER_BYTES)
                if not more:
                    break
                data += more
        process = _process_behind(sock)
    return replace(parse_state(data) or OwnerState("another program"), process=process)


def _process_behind(sock: socket.socket) -> str:
    """The process at the other end, as a person knows it: hardware of one name may be in Domoticz and in our host."""
    peer = peer_of(sock)
    if peer is None or peer.pid <= 0:
        return ""
    folder = Path("/proc", str(peer.pid))
    try:
        words = os.fsdecode((folder / "cmdline").read_bytes()).split("\0")
        program = (folder / "comm").read_text(errors="replace").strip()
    except OSError:  # it has ended, or hides from us
        return f"process {peer.pid}"
    place = next((at for at in range(1, len(words) - 2) if words[at : at + 2] == ["-m", "tuya"]), 0)
    program = f"python3 -m tuya {words[place + 2]}" if place else program
    return f"{''.join(sign for sign in program if sign.isprintable())[:_PROGRAM_CHARACTERS]}, process {peer.pid}"


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
    return OwnerState(
        owner=words["owner"] or "another program",
        connected=content.get("connected") is True,
        address=words["address"],
        version=words["version"],
        error=words["error"],
        message=words["message"],
        age_s=_age(content.get("age_s")),
        share=words["share"],
        yields=content.get("yields") is True,
    )


def _age(value: object) -> Optional[float]:
    # compared before it is converted: whole numbers of any length, NaN and infinities are JSON to Python
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= MAX_AGE_S:
        return float(value)
    return None
