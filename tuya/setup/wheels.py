"""Wheels without pip: which one fits this Python, fetch it by its hash, unpack it.

Only for machines whose Python has no pip (minimal images, some containers). A wheel is a zip file; its name says
what it fits (PyPA, binary distribution format). Package indexes are asked by the simple API (JSON or HTML).
"""

from __future__ import annotations

import configparser
import hashlib
import html.parser
import io
import json
import os
import platform
import re
import shutil
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from .errors import SetupError
from .pins import Pin

TIMEOUT_S = 30.0
MAX_WHEEL_BYTES = 20 * 1024 * 1024  # the largest of ours has about 2 MB
_JSON_OR_HTML = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"
_OLD_MANYLINUX = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}


def fits(filename: str, for_machine: str, libc: str, libc_version: Tuple[int, int]) -> bool:
    """Whether a wheel can be used by the running CPython.

    for_machine: as pins.machine(); libc: "glibc" or "musl", libc_version: its (major, minor).
    """
    parts = filename[: -len(".whl")].split("-")
    if not filename.endswith(".whl") or len(parts) not in (5, 6):
        return False
    pythons, abis, platforms = (part.split(".") for part in parts[-3:])
    return _fits_python(pythons, abis) and any(
        name == "any" or _fits_platform(name, for_machine, libc, libc_version) for name in platforms
    )


def _fits_python(pythons: Sequence[str], abis: Sequence[str]) -> bool:
    if "none" in abis:
        return "py3" in pythons
    minor = sys.version_info[1]
    return "abi3" in abis and any(
        match and int(match[1]) <= minor for match in (re.fullmatch(r"cp3(\d+)", tag) for tag in pythons)
    )


def _fits_platform(name: str, for_machine: str, libc: str, libc_version: Tuple[int, int]) -> bool:
    if not name.endswith(f"_{for_machine}"):
        return False
    family = name[: -len(for_machine) - 1]
    old = _OLD_MANYLINUX.get(family)
    match = re.fullmatch(r"(many|musl)linux_(\d+)_(\d+)", family)
    if old is None and match is None:
        return False
    needed = old if match is None else (int(match[2]), int(match[3]))
    needed_libc = "glibc" if match is None or match[1] == "many" else "musl"
    return libc == needed_libc and needed is not None and needed <= libc_version


def libc_of_this_python() -> Tuple[str, Tuple[int, int]]:
    """("glibc" or "musl", (major, minor)) of the running Python; ("", (0, 0)) elsewhere, as on macOS."""
    name, version = platform.libc_ver()
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if name == "glibc" and numbers:
        return "glibc", (int(numbers[1]), int(numbers[2]))
    if any(Path("/lib").glob("ld-musl-*")):
        return "musl", (1, 2)  # releases before 1.2 are out of use, and older wheels fit newer ones
    return "", (0, 0)


def settings_of_pip(environ: Dict[str, str]) -> Dict[str, str]:
    """What the user's settings for pip say of where packages are: index-url, extra-index-url, find-links, cert.

    Read from pip's files, later ones winning, and then from PIP_... variables, as pip does.
    """
    home = Path(environ.get("HOME", "/nonexistent"))
    config_home = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = ["/etc/xdg/pip/pip.conf", "/etc/pip.conf", home / ".pip/pip.conf", config_home / "pip/pip.conf"]
    files.append(environ.get("PIP_CONFIG_FILE", os.devnull))
    parser = configparser.RawConfigParser()
    try:
        parser.read([str(file) for file in files], encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise SetupError(f"pip's settings cannot be read: {' '.join(str(error).split())}") from None
    found: Dict[str, str] = {}
    for name in ("index-url", "extra-index-url", "find-links", "cert"):
        for section in ("global", "install"):
            if parser.has_option(section, name):
                found[name] = parser.get(section, name)
        from_environment = environ.get("PIP_" + name.upper().replace("-", "_"))
        if from_environment:
            found[name] = from_environment
    return found


class Source:
    """Where wheels are taken from: a folder (offline), or package indexes."""

    def __init__(self, folders: Sequence[Path], indexes: Sequence[str], cafile: Optional[str] = None) -> None:
        self._folders = folders
        self._indexes = indexes
        self._cafile = cafile

    def wheel(self, pin: Pin, for_machine: str) -> Tuple[str, bytes]:
        """The file name and content of the wheel of `pin` for this Python; its hash is one of the pin's.

        Raises SetupError: no such wheel, the index cannot be reached.
        """
        libc, version = libc_of_this_python()
        for folder in self._folders:
            for path in sorted(folder.glob("*.whl")):
                if _names(path.name, pin) and fits(path.name, for_machine, libc, version):
                    content = path.read_bytes()
                    if hashlib.sha256(content).hexdigest() in pin.hashes:
                        return path.name, content
        for index in self._indexes:
            for filename, url, digest in self._files(index, pin):
                if digest in pin.hashes and fits(filename, for_machine, libc, version):
                    content = self._get(url)[0]
                    if hashlib.sha256(content).hexdigest() != digest:
                        raise SetupError(
                            f"{filename}: what the package index sent has another hash; nothing was changed"
                        )
                    return filename, content
        where = ", ".join([*(str(folder) for folder in self._folders), *map(_without_password, self._indexes)])
        raise SetupError(
            f"no wheel of {pin.name} {pin.release} for Python {platform.python_version()} on {for_machine} in {where}"
        )

    def _files(self, index: str, pin: Pin) -> Iterator[Tuple[str, str, str]]:
        page_url = f"{index.rstrip('/')}/{pin.project}/"
        if page_url.startswith("file:"):
            page_url += "index.html"
        try:
            content, kind = self._get(page_url)
        except _NoSuchPage:
            return
        if "json" in kind:
            for file in json.loads(content).get("files", []):
                yield file["filename"], urllib.parse.urljoin(page_url, file["url"]), file["hashes"].get("sha256", "")
            return
        for link in _Links(content.decode("utf-8", "replace")).found:
            url, _, digest = urllib.parse.urljoin(page_url, link).partition("#sha256=")
            yield urllib.parse.unquote(PurePosixPath(urllib.parse.urlsplit(url).path).name), url, digest

    def _get(self, url: str) -> Tuple[bytes, str]:
        if urllib.parse.urlsplit(url).scheme not in ("https", "http", "file"):
            raise SetupError(f"not a place to take packages from: {_without_password(url)}")
        request = urllib.request.Request(url, headers={"Accept": _JSON_OR_HTML})  # noqa: S310 - checked above
        context = ssl.create_default_context(cafile=self._cafile)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=context) as answer:  # noqa: S310 - as above
                content: bytes = answer.read(MAX_WHEEL_BYTES + 1)
                kind = answer.headers.get_content_type()
        except urllib.error.HTTPError as error:
            if error.code == 404:
                raise _NoSuchPage from None
            raise SetupError(f"{_without_password(url)}: the package index answered {error.code}") from None
        except (OSError, ValueError) as error:
            if url.startswith("file:"):
                raise _NoSuchPage from None
            reason = getattr(error, "reason", error)
            raise SetupError(f"{_without_password(url)} cannot be reached: {reason}") from None
        if len(content) > MAX_WHEEL_BYTES:
            raise SetupError(f"{_without_password(url)}: this is far too large for a package of ours")
        return content, kind


class _NoSuchPage(Exception):
    """The index does not have this project."""


class _Links(html.parser.HTMLParser):
    """The href of every link of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: List[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        """Collect; called by the parser."""
        if tag == "a":
            self.found.extend(value for name, value in attrs if name == "href" and value)


def _names(filename: str, pin: Pin) -> bool:
    name, _, rest = filename.partition("-")
    return re.sub(r"[-_.]+", "-", name).lower() == pin.project and rest.split("-")[0] == pin.release


def _without_password(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)


def unpack(filename: str, content: bytes, target: Path) -> None:
    """Unpack a wheel of ours into `target`. Raises SetupError for a path that leaves it."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            path = PurePosixPath(member.filename)
            if path.is_absolute() or ".." in path.parts or "\\" in member.filename:
                raise SetupError(f"{filename}: this wheel has a file outside its folder")
            if member.is_dir() or path.parts[0].endswith(".data"):
                continue  # .data holds scripts and headers, which lib/ has no use for
            destination = target.joinpath(*path.parts)
            destination.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, destination.open("wb") as sink:
                shutil.copyfileobj(source, sink)


def source_from_settings(environ: Dict[str, str], wheels: Optional[Path]) -> Optional[Source]:
    """The folder of --wheels alone, else what pip's settings name; None where they name no place at all."""
    if wheels is not None:
        return Source([wheels], [])
    settings: Dict[str, Any] = settings_of_pip(environ)
    indexes = settings.get("index-url", "").split() + settings.get("extra-index-url", "").split()
    folders = [Path(place) for place in settings.get("find-links", "").split() if Path(place).is_dir()]
    if not indexes and not folders:
        return None
    return Source(folders, indexes, settings.get("cert"))
