"""Users of the system as readers of files: as whom a process runs, who owns a folder, and what they may read."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path
from typing import FrozenSet, NamedTuple, Optional

ROOT_UID = 0  # reads everything


class Account(NamedTuple):
    """A user of the system, its first group and its other ones."""

    uid: int
    gid: int
    groups: FrozenSet[int] = frozenset()

    @property
    def name(self) -> str:
        """Its name; "user 1234" where it has none."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return f"user {self.uid}"

    def may_read(self, path: Path) -> bool:
        """Whether this user may read a file: by owner, group and mode of it and of every folder above it."""
        try:
            return self.may_enter(path.resolve().parent) and self._may(path, stat.S_IROTH)
        except OSError:
            return False

    def may_enter(self, folder: Path) -> bool:
        """Whether this user reaches what lies in a folder."""
        try:
            real = folder.resolve()
            return all(self._may(one, stat.S_IXOTH) for one in (real, *real.parents))
        except OSError:
            return False

    def unreadable_in(self, folder: Path) -> Optional[Path]:
        """The first file or folder in `folder` that this user may not read or enter; None: as far as we see, none.

        A folder that is not there holds none. Bytecode of Python's (__pycache__) is read where it may be, and missed
        where not.
        """
        if self.uid == ROOT_UID or not folder.is_dir():
            return None
        if not self.may_enter(folder):
            return folder
        for place, folders, names in os.walk(folder):
            if not self._may(Path(place), stat.S_IROTH):
                return Path(place)
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            for name, bit in [(name, stat.S_IXOTH) for name in folders] + [(name, stat.S_IROTH) for name in names]:
                try:
                    if not self._may(Path(place, name), bit):
                        return Path(place, name)
                except OSError:
                    continue  # it has gone, or is a link to nothing
        return None

    def _may(self, path: Path, bit_of_others: int) -> bool:
        status = path.stat()
        if self.uid == ROOT_UID:
            return True
        if self.uid == status.st_uid:
            return bool(status.st_mode & bit_of_others << 6)
        if status.st_gid == self.gid or status.st_gid in self.groups:
            return bool(status.st_mode & bit_of_others << 3)
        return bool(status.st_mode & bit_of_others)


def account_of_process(pid: Optional[int]) -> Optional[Account]:
    """The user that a process runs as; None without a process, or when it has ended."""
    try:
        folder = Path("/proc", str(pid))
        owner = folder.stat() if pid is not None else None
        if owner is None:
            return None
        lines = (folder / "status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    groups = next((line.split()[1:] for line in lines if line.startswith("Groups:")), [])
    return Account(owner.st_uid, owner.st_gid, frozenset(int(group) for group in groups if group.isdecimal()))


def account_of_owner(path: Path) -> Optional[Account]:
    """The user that a folder belongs to, None where it cannot be looked at."""
    try:
        status = path.stat()
    except OSError:
        return None
    return _account_of_uid(status.st_uid, status.st_gid)


def account_of_user(name: str) -> Optional[Account]:
    """The user of that name (or number), None where there is none."""
    try:
        uid = int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid
        return _account_of_uid(uid, pwd.getpwuid(uid).pw_gid)
    except KeyError:
        return None


def _account_of_uid(uid: int, gid: int) -> Account:
    try:
        user = pwd.getpwuid(uid)
        return Account(uid, user.pw_gid, frozenset(os.getgrouplist(user.pw_name, user.pw_gid)))
    except KeyError:
        return Account(uid, gid)
