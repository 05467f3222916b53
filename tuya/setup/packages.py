"""Makes lib/ and lib/cli/ from the pinned requirement files: all of it or nothing. Knows pip, and no Domoticz.

Order: an offline folder if one is given; pip of the Python that will load lib/, of this one, pip's own wheel where
Python carries one; then, without any pip, wheels fetched by hash from where pip's settings say, and last pip's
wheel from the distribution (unpacked in a temporary folder, never installed).
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional

from tuya.domoticz import installation

from . import wheels
from .compiling import compile_modules
from .errors import SetupError
from .pins import Pin, machine, read_pins, requirements, stamp
from .probe import distribution_crypto

RUNTIME_PINS = "requirements.txt"
CLI_PINS = "requirements-cli.txt"
WHEELS = "wheels"  # a folder of them beside install.sh, as a release archive has it
PIP_TIMEOUT_S = 900.0  # compiling pycryptodome on a small board takes minutes
MACHINES_WITH_WHEELS = ("x86_64", "aarch64", "i686")
PIP_FOLDER = "/"  # where pip runs, so that nothing of the caller's folder (pip/, setup.cfg) is its business

_KEPT_SETTINGS = {
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_TRUSTED_HOST", "PIP_PROXY"),
    *("PIP_CERT", "PIP_CLIENT_CERT", "PIP_CONFIG_FILE", "PIP_KEYRING_PROVIDER", "PIP_TIMEOUT", "PIP_RETRIES"),
    *("PIP_CACHE_DIR", "PIP_NO_CACHE_DIR"),
}
_PATHS = {
    *("PIP_CERT", "PIP_CLIENT_CERT", "PIP_CONFIG_FILE", "PIP_CACHE_DIR"),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
}

CRYPTO_CURE = "sudo apt install python3-pycryptodome"
_BROKEN = "this pip does not work with this Python"
_NOT_REACHED = "pip cannot reach the package index"

Say = Callable[[str], None]


def is_current(folder: Path) -> bool:
    """Whether lib/ was made from the pins that lie beside it now, as the plugin judges it, and lib/cli/ too."""
    try:
        installation.check(folder)
        return (folder / "lib" / "cli" / "STAMP").read_text(encoding="ascii").strip() in installation.stamps(
            (folder / CLI_PINS).read_bytes()
        )
    except (installation.InstallationError, OSError, UnicodeDecodeError):
        return False


def make_lib(folder: Path, python: str, offline: Optional[Path], say: Say) -> None:
    """Make <folder>/lib anew for `python`, beside the old one, and put it in its place at the end.

    Raises SetupError (the old lib/ is untouched then).
    """
    check_writable(folder)
    previous_mask = os.umask(0o022)  # Domoticz may run as another user and must be able to read lib/
    staged = Path(tempfile.mkdtemp(prefix=".lib-", dir=folder))
    try:
        staged.chmod(0o755)
        pins = {"": read_pins(folder / RUNTIME_PINS, machine()), "cli": read_pins(folder / CLI_PINS, machine())}
        if not _has_wheels():
            pins[""] = _without_what_the_distribution_has(pins[""], python, say)
        names = ", ".join(f"{pin.name} {pin.release}" for pin in pins[""])
        say(f"Fetching {names} and {len(pins['cli'])} packages of the command line into {folder / 'lib'}")
        with tempfile.TemporaryDirectory(prefix="tuya-pins-") as lists:
            for name, pin_file in (("", RUNTIME_PINS), ("cli", CLI_PINS)):
                Path(lists, pin_file).write_text(requirements(pins[name]), encoding="ascii")
            _fill(staged, Path(lists), python, pins, offline, say)
        shutil.rmtree(staged / "bin", ignore_errors=True)  # scripts of packages, which would not find lib/
        shutil.rmtree(staged / "cli" / "bin", ignore_errors=True)
        (staged / "cli" / "STAMP").write_text(stamp(folder / CLI_PINS) + "\n", encoding="ascii")
        (staged / "STAMP").write_text(stamp(folder / RUNTIME_PINS) + "\n", encoding="ascii")
        compile_modules(python, staged, ".")
        give_to_owner_of(folder, staged)
        _swap(staged, folder / "lib")
    except OSError as error:
        raise SetupError(f"{error.filename or folder}: {error.strerror or error}") from None
    finally:
        os.umask(previous_mask)
        shutil.rmtree(staged, ignore_errors=True)


def _has_wheels() -> bool:
    """Whether pycryptodome is there ready-made for this machine."""
    return machine() in MACHINES_WITH_WHEELS or sys.platform == "darwin"


def _without_what_the_distribution_has(pins: List[Pin], python: str, say: Say) -> List[Pin]:
    """The pins without pycryptodome where the distribution has one that works in Domoticz's sub-interpreters.

    It is the same library under the name Cryptodome, which tinytuya looks for by itself.
    """
    release = distribution_crypto(python)
    if release is None:
        say(
            f"There is no ready-made pycryptodome for this machine ({machine()}). A matter of seconds with that of the "
            f"distribution: {CRYPTO_CURE}, then this again.\nGoing on without it: pip compiles it, which takes minutes "
            "and needs a C compiler and Python's headers (Debian: gcc python3-dev)"
        )
        return pins
    say(f"There is no ready-made pycryptodome for this machine ({machine()}): the distribution's {release} is used")
    return [pin for pin in pins if pin.project != "pycryptodome"]


def check_writable(folder: Path) -> None:
    """Raise SetupError where nothing can be written into the plugin folder."""
    if not os.access(folder, os.W_OK | os.X_OK):
        owner = _owner_name(folder)
        if os.geteuid() in (0, folder.stat().st_uid):
            raise SetupError(
                f"{folder} cannot be written, although it is yours: its file system is mounted read-only, or its mode "
                "forbids it (chmod u+rwx). In a container with a read-only folder: run this outside of it"
            )
        raise SetupError(
            f"{folder} cannot be written by you; it belongs to {owner}. Run this as {owner} "
            f"('sudo -u {owner} bash install.sh')"
        )


def _owner_name(folder: Path) -> str:
    try:
        return folder.owner()
    except KeyError:
        return f"user {folder.stat().st_uid}"


def give_to_owner_of(folder: Path, made: Path) -> None:
    """As root (sudo): what was made belongs to the owner of the plugin folder, as the rest of it."""
    if os.geteuid() != 0:
        return
    owner = folder.stat()
    for path in (made, *made.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _swap(staged: Path, lib: Path) -> None:
    """Put `staged` in the place of lib/. A running Domoticz keeps the files that it has open."""
    old = staged.with_name(staged.name + ".old")
    if lib.exists():
        lib.rename(old)
    staged.rename(lib)
    shutil.rmtree(old, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what an interrupted run left beside lib/."""
    for path in folder.glob(".lib-*"):
        shutil.rmtree(path, ignore_errors=True)


def _fill(
    staged: Path, folder: Path, python: str, pins: Dict[str, List[Pin]], offline: Optional[Path], say: Say
) -> None:
    """Put the packages into `staged`, one way or another. Raises SetupError with what each way said."""
    failures: List[str] = []
    for way in _ways(staged, folder, python, pins, offline, say, failures):
        try:
            way()
        except SetupError as error:
            _empty(staged)
            if offline is None and str(error) not in failures:
                say(f"{error}; trying another way")
            failures.append(str(error))
        else:
            return
    raise SetupError("the packages could not be fetched.\n" + _reasons(failures) + _ways_out(offline))


def _ways(
    staged: Path,
    folder: Path,
    python: str,
    pins: Dict[str, List[Pin]],
    offline: Optional[Path],
    say: Say,
    failures: List[str],
) -> Iterator[Callable[[], None]]:
    """The ways to fill `staged`, best first; `failures`: what those before have said."""
    source = wheels.source_from_settings(dict(os.environ), offline)
    if offline is not None:
        yield lambda: _fill_from(source, staged, pins)
    has_pip = False
    for pip in pips(python):
        yield functools.partial(_run_pip, pip, staged, folder, offline)
        has_pip = has_pip or failures[-1] != _BROKEN
        if _NOT_REACHED in failures[-1]:
            break  # another pip would wait for the same index
    if offline is None:
        yield lambda: _fill_from(source, staged, pins)
        if not has_pip:
            yield lambda: _run_pip_of_distribution(python, staged, folder, say)


def _reasons(failures: List[str]) -> str:
    return "".join(f"  - {failure}\n" for failure in dict.fromkeys(filter(None, failures)))


def _ways_out(offline: Optional[Path]) -> str:
    download = f"python3 -m pip download --no-deps --require-hashes -r {RUNTIME_PINS} -r {CLI_PINS} -d wheels"
    if offline is not None:
        return f"The folder must hold what this fetches on a machine of the same kind: {download}"
    return (
        "What helps: a network connection; pip, where there is none (Debian, Ubuntu: sudo apt install python3-pip; "
        "Alpine: apk add py3-pip); a package index of your own: PIP_INDEX_URL=ADDRESS bash install.sh; or "
        f"no network at all:\n  on another machine of the same kind: {download}\n"
        "  here: bash install.sh --wheels FOLDER"
    )


def _fill_from(source: Optional[wheels.Source], staged: Path, pins: Dict[str, List[Pin]]) -> None:
    if source is None:
        raise SetupError("there is no pip, and no setting of pip (PIP_INDEX_URL, pip.conf) names a package index")
    for sub_folder, packages in pins.items():
        for pin in packages:
            filename, content = source.wheel(pin, machine())
            wheels.unpack(filename, content, staged / sub_folder)


def pips(python: str) -> Iterator[List[str]]:
    """Commands that start pip, best first; only those that answer."""
    # lib/ serves every CPython from 3.9 on, so that another one's pip does as well
    others = [path for path in [sys.executable, *_other_pythons()] if Path(path).resolve() != Path(python).resolve()]
    # -I: neither a folder "pip" of the caller's nor one that an environment variable names
    commands = [[program, "-I", "-m", "pip"] for program in (python, *dict.fromkeys(others))]
    commands.extend(
        [program, "-I", f"{wheel}/pip"] for wheel in _bundled_pip_wheels() for program in (python, *others[:2])
    )
    for command in commands:
        if answers([*command, "--version"]):
            yield command


def _other_pythons() -> List[str]:
    """The Pythons of this machine that a system has at its usual places."""
    return [path for path in ("/usr/bin/python3", "/usr/local/bin/python3") if os.access(path, os.X_OK)]


def _bundled_pip_wheels() -> List[Path]:
    """Pip's own wheel where a Python of this machine carries it for its venv module, newest first."""
    folders = [Path("/usr/share/python-wheels")]
    folders.extend(Path(prefix) for prefix in Path("/usr/lib").glob("python3*/ensurepip/_bundled"))
    folders.extend(Path(prefix) for prefix in Path("/usr/local/lib").glob("python3*/ensurepip/_bundled"))
    folders.append(Path(os.__file__).parent / "ensurepip" / "_bundled")
    found = {wheel for folder in folders for wheel in folder.glob("pip-*.whl")}
    return sorted(found, key=lambda wheel: [int(n) for n in wheel.name.split("-")[1].split(".") if n.isdigit()])[::-1]


def answers(command: List[str]) -> bool:
    """Whether a command of pip's runs and ends well."""
    try:
        done = subprocess.run(  # noqa: S603 - a Python of this machine
            command,
            capture_output=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            cwd=PIP_FOLDER,
            env=pip_environment(),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def pip_environment() -> Dict[str, str]:
    """The user's environment; of its settings for pip, only where packages are and how they are reached.

    Others contradict what we ask for (PIP_TARGET, PIP_PYTHON, PIP_NO_BINARY ...). Relative paths are made absolute:
    pip runs in a folder of its own.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "PYTHON")) or name in _KEPT_SETTINGS
    }
    for name in _PATHS & set(environment):
        environment[name] = _absolute(environment[name])
    if "PIP_FIND_LINKS" in environment:  # several, with spaces between them
        environment["PIP_FIND_LINKS"] = " ".join(map(_absolute, environment["PIP_FIND_LINKS"].split()))
    environment.update(PIP_USER="0", PIP_REQUIRE_VIRTUALENV="0", PIP_NO_INPUT="1", PIP_DISABLE_PIP_VERSION_CHECK="1")
    return environment


def _absolute(place: str) -> str:
    """A path of the caller's as an absolute one; an address (https://...) as it is."""
    return place if "://" in place or not place else str(Path(place).expanduser().absolute())


def _run_pip(pip: List[str], staged: Path, folder: Path, offline: Optional[Path]) -> None:
    """Fill `staged` by pip with what the pin files in `folder` name. Raises SetupError with the reason in one line."""
    options = ["install", "--quiet", "--no-deps", "--require-hashes", "--retries", "2", "--timeout", "20"]
    options += ["--prefix=", "--root=/"]  # settings of the user's that contradict --target
    options.append("--no-compile")  # it would compile all, see compiling.py
    if _has_wheels():
        options.append("--only-binary=:all:")
    if offline is not None:
        options += ["--no-index", "--find-links", str(offline.absolute())]
    for pins_file, target in ((RUNTIME_PINS, staged), (CLI_PINS, staged / "cli")):
        command = [*pip, *options, "--target", str(target), "-r", str(folder / pins_file)]
        try:
            done = subprocess.run(  # noqa: S603 - pip of this machine, our own pins
                command,
                capture_output=True,
                text=True,
                timeout=PIP_TIMEOUT_S,
                stdin=subprocess.DEVNULL,
                cwd=PIP_FOLDER,
                env=pip_environment(),
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise SetupError(f"pip did not end within {PIP_TIMEOUT_S / 60:.0f} min") from None
        if done.returncode != 0:
            raise SetupError(why_pip_failed(done.stderr + done.stdout))


def _empty(staged: Path) -> None:
    for path in staged.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def why_pip_failed(output: str) -> str:
    """Pip's output -> one line in plain words."""
    known = (
        ("externally-managed-environment", "pip refuses: this Python is externally managed"),
        ("DO NOT MATCH THE HASHES", "pip found a package with another content than pinned, and refused it"),
        ("Permission denied", "pip may not write here"),
        ("No space left on device", "the disk is full"),
        ("NameResolutionError", f"{_NOT_REACHED} (its name is not resolved: no network?)"),
        ("Temporary failure in name resolution", f"{_NOT_REACHED} (no network?)"),
        ("NewConnectionError", f"{_NOT_REACHED} (no network?)"),
        ("ConnectTimeoutError", f"{_NOT_REACHED} (no answer)"),
        ("ProxyError", f"{_NOT_REACHED} through the proxy that is set"),
        ("CERTIFICATE_VERIFY_FAILED", "pip does not trust the certificate of the package index (wrong clock, proxy?)"),
        ("error: command", f"pycryptodome could not be compiled: {CRYPTO_CURE}, or gcc and python3-dev"),
        ("ReadTimeoutError", f"{_NOT_REACHED} (it stopped answering)"),
        ("Traceback (most recent call last)", _BROKEN),
    )
    for sign, meaning in known:
        if sign in output:
            return meaning
    lines = [line for line in output.splitlines() if line.startswith("ERROR:")] or output.splitlines() or ["no reason"]
    return f"pip failed: {wheels._without_password(lines[-1].replace('ERROR: ', ''))[:200]}"


def _run_pip_of_distribution(python: str, staged: Path, folder: Path, say: Say) -> None:
    with tempfile.TemporaryDirectory(prefix="tuya-pip-") as temporary:
        wheel = pip_of_distribution(Path(temporary), say)
        if wheel is None:
            raise SetupError("the distribution's pip cannot be downloaded either")
        _run_pip([python, "-I", f"{wheel}/pip"], staged, folder, None)


def pip_of_distribution(temporary: Path, say: Say) -> Optional[Path]:
    """Pip's wheel out of Debian's package, downloaded as any user and unpacked aside; None where that does not work."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return None
    say("This Python has no pip: borrowing the one of the distribution, without installing it")
    state = temporary / "lists"
    state.mkdir()
    (state / "partial").mkdir()
    aside = ["-o", f"Dir::State::Lists={state}", "-o", f"Dir::Cache={temporary}", "-o", "Debug::NoLocking=1"]
    steps = (
        ["apt-get", "download", "-q", "python3-pip-whl"],
        ["apt-get", *aside, "update", "-q"],
        ["apt-get", *aside, "download", "-q", "python3-pip-whl"],
    )
    for step in steps:
        try:
            subprocess.run(  # noqa: S603 - Debian's own tool, fixed words
                step, cwd=temporary, capture_output=True, timeout=300, stdin=subprocess.DEVNULL, check=False
            )
        except subprocess.TimeoutExpired:
            return None
        for package in temporary.glob("python3-pip-whl*.deb"):
            unpack = ["dpkg-deb", "-x", str(package), str(temporary / "pip")]
            subprocess.run(unpack, capture_output=True, timeout=60, check=False)  # noqa: S603 - as above
            return next((temporary / "pip").rglob("pip-*.whl"), None)
    return None
