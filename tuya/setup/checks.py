"""bash install.sh test: a virtual environment with the pinned tools, and every check that a change must pass."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from . import packages, wheels
from .errors import SetupError, WrongUse
from .install import install, say

DEV_PINS = "requirements-dev.txt"
TUYAMOCK_PINS = "requirements-tuyamock.txt"
TUYAMOCK_VARIABLE = "TUYAMOCK_PYTHON"  # where the tests look for a Python that has it
VENV = ".venv"
TUYAMOCK_VENV = ".venv/tuyamock"
OLDEST_PYTHON = "3.9"  # that a supported Domoticz may load
WORKERS = "7"  # on two processors: many tests wait for seconds on end, others use the processors meanwhile


class Step(NamedTuple):
    """One check: its name for --only and the summary, and the words after `python`."""

    name: str
    words: Tuple[str, ...]


STEPS = (
    Step("lint", ("-m", "ruff", "check", ".")),
    Step("format", ("-m", "ruff", "format", "--check", ".")),
    Step("types", ("-m", "mypy")),
    Step(
        "python39",
        (
            *("-c", "import vermin, sys; sys.exit(vermin.main())"),  # it has no -m
            *("--quiet", "--no-tips", "--violations", f"--target={OLDEST_PYTHON}-", "plugin.py", "tuya"),
        ),
    ),
    Step("catalogue", ("-m", "tuya.metering.catalogue")),
    Step("manifest", ("-m", "tuya.host.manifest", "plugin.py")),
    # and so that pytest compiles them once: in a new clone each worker would do so for itself, all at the same time
    Step("collect", ("-m", "pytest", "--collect-only", "-qq")),
    Step(
        "tests",
        # the longest files first, as tests/conftest.py sorts them; xdist would begin with those of the most tests
        ("-m", "pytest", "-q", "-n", WORKERS, "--dist", "loadfile", "--no-loadscope-reorder", "--durations=15"),
    ),
)
# Which lines and branches of tuya/ no test reaches; of what runs in other processes and interpreters nothing is seen.
COVERAGE = ("--cov=tuya", "--cov-branch", "--cov-report=term:skip-covered")
SHOWN_LINES = 3  # of what a check said that passed
LARGEST_SEED = 2**32 - 1
SHELL_SCRIPTS = ("install.sh", ".ci/run")


def run(folder: Path, only: Optional[List[str]], coverage: bool = False) -> int:
    """Set up what is needed, run all steps (or those named in `only`), and sum up. Returns 0 only if all passed.

    The tests run in another order each time; the seed that repeats it stands in the line of the step. coverage: count
    and print what the tests reach, which takes about twice the time. Raises SetupError where the tools cannot be set
    up.
    """
    known = [step.name for step in STEPS] + ["shell"]
    unknown = [name for name in only or [] if name not in known]
    if unknown:
        raise WrongUse(f"there is no step {unknown[0]!r}; there are {', '.join(known)}")
    environment = _environment()
    chosen = [step for step in STEPS if not only or step.name in only]
    with ThreadPoolExecutor(2) as pool:  # pip mostly waits for its index
        lib = pool.submit(install, folder, None, None, quiet=True)
        python = _make_venv(folder, VENV, (packages.RUNTIME_PINS, packages.CLI_PINS, DEV_PINS))
        lib.result()
        if (not only or "tests" in only) and TUYAMOCK_VARIABLE not in environment:
            tuyamock = pool.submit(_tuyamock, folder)
        else:
            tuyamock = None
        results = _run_together([step for step in chosen if step.name != "tests"], python, folder, environment)
        if tuyamock is not None:
            environment.update(tuyamock.result())
    for step in chosen:
        if step.name == "tests":
            words = [python, *step.words, f"--randomly-seed={secrets.randbelow(LARGEST_SEED)}"]
            results[step.name] = _run(step.name, words + list(COVERAGE if coverage else ()), folder, environment)
    if not only or "shell" in only:
        results["shell"] = _check_shell(folder, environment)
    say("\nSummary")
    for name, (verdict, seconds) in results.items():
        say(f"  {name:10} {verdict:50} {seconds:6.1f} s")
    failed = [name for name, (verdict, _) in results.items() if verdict.startswith("FAILED")]
    say(f"Failed: {', '.join(failed)}" if failed else "All passed")
    return 1 if failed else 0


def _run_together(
    steps: List[Step], python: str, folder: Path, environment: Dict[str, str]
) -> Dict[str, Tuple[str, float]]:
    """Run steps that do not disturb each other, as many at a time as there are processors; told in their order."""

    def run_one(step: Step) -> Tuple[str, int, float]:
        began = time.monotonic()
        done = subprocess.run(  # noqa: S603 - our own list of commands
            [python, *step.words],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        return done.stdout, done.returncode, time.monotonic() - began

    results: Dict[str, Tuple[str, float]] = {}
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for step, (told, code, seconds) in zip(steps, pool.map(run_one, steps)):
            lines = told.rstrip().splitlines()
            say("\n".join([_heading(step.name, step.words), *(lines if code else lines[-SHOWN_LINES:])]))
            results[step.name] = (_verdict(code), seconds)
    return results


def _heading(name: str, words: Sequence[str]) -> str:
    return f"\n== {name}: {' '.join(['python', *words])}"


def _verdict(code: int) -> str:
    return "passed" if code == 0 else f"FAILED (exit {code})"


def _run(name: str, command: List[str], folder: Path, environment: Dict[str, str]) -> Tuple[str, float]:
    say(_heading(name, command[1:]))
    began = time.monotonic()
    done = subprocess.run(  # noqa: S603 - our own list of commands
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, check=False
    )
    return _verdict(done.returncode), time.monotonic() - began


def _check_shell(folder: Path, environment: Dict[str, str]) -> Tuple[str, float]:
    if shutil.which("shellcheck") is None:
        return "skipped: shellcheck is not installed here", 0.0
    return _run("shell", ["shellcheck", *SHELL_SCRIPTS], folder, environment)


def _environment() -> Dict[str, str]:
    """The environment without what would change what is tested: foreign paths, a key of the user's."""
    dropped = ("VIRTUAL_ENV", "TUYA_LOCAL_KEY", "PYTEST_ADDOPTS")
    return {name: value for name, value in os.environ.items() if name not in dropped and not name.startswith("PYTHON")}


def _make_venv(folder: Path, name: str, pin_files: Tuple[str, ...]) -> str:
    """Make a virtual environment with the pinned packages, or keep one that is up to date.

    Returns its Python; raises SetupError.
    """
    venv = folder / name
    python = venv / "bin" / "python"
    pins = [folder / pin_file for pin_file in pin_files]
    content = b"".join(path.read_bytes() for path in pins) + sys.version.encode()
    stamp = hashlib.sha256(content).hexdigest()
    stamp_file = venv / "STAMP"
    if stamp_file.exists() and stamp_file.read_text(encoding="ascii") == stamp:
        return str(python)
    say(f"Making {venv} with what {pin_files[-1]} pins (Python {sys.version.split()[0]})")
    shutil.rmtree(venv, ignore_errors=True)
    requirements = [word for path in pins for word in ("-r", str(path))]
    # --no-compile: most of it is never imported; who imports a module first compiles it, and that is one process
    options = ["install", "--quiet", "--no-compile", "--no-deps", "--require-hashes", "--only-binary=:all:"]
    pip = _venv_with_pip(venv, str(python))
    done = subprocess.run(  # noqa: S603 - pip of this machine, our own pins
        [*pip, *options, *requirements],
        env=packages.pip_environment(),
        stdin=subprocess.DEVNULL,
        cwd=packages.PIP_FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SetupError(f"the tools could not be fetched: {packages.why_pip_failed(done.stderr + done.stdout)}")
    stamp_file.write_text(stamp, encoding="ascii")
    return str(python)


def _tuyamock(folder: Path) -> Dict[str, str]:
    """Make the virtual environment with another implementation of devices; returns what tells the tests where it is."""
    try:
        return {TUYAMOCK_VARIABLE: _make_venv(folder, TUYAMOCK_VENV, (TUYAMOCK_PINS,))}
    except SetupError as error:
        say(f"Without tuyamock, its tests will be skipped: {error}")
        return {}


def _venv_with_pip(venv: Path, python: str) -> List[str]:
    """Make a virtual environment; returns the command that is its pip. Raises SetupError."""
    own = [python, "-I", "-m", "pip"]
    carried = _carried_pip()
    # what `venv` would put into it, without installing and compiling it, which takes ten times as long
    if carried is not None and _bare_venv(venv, "--without-pip"):
        _unpack_pip(carried, venv)
        if packages.answers([*own, "--version"]):
            return own
    for options in ([], ["--without-pip"]):  # the second works where the distribution keeps ensurepip in a package
        if not _bare_venv(venv, *options):
            continue
        for pip in packages.pips(python):
            if pip[0] == python:
                return pip
            if packages.answers([*pip, "--python", python, "--version"]):
                return [*pip, "--python", python]
        if options and _give_pip(venv) and packages.answers([*own, "--version"]):
            return own
    raise SetupError(
        "this Python can make no virtual environment with pip (Debian, Ubuntu: sudo apt install python3-venv), "
        "or name another Python: PYTHON=/path/to/python3 bash install.sh test"
    )


def _carried_pip() -> Optional[Path]:
    """The wheel of pip that this Python carries; None where a distribution keeps it elsewhere."""
    return next((Path(os.__file__).parent / "ensurepip" / "_bundled").glob("pip-*.whl"), None)


def _bare_venv(venv: Path, *options: str) -> bool:
    """Make a virtual environment anew; whether that worked."""
    shutil.rmtree(venv, ignore_errors=True)
    command = [sys.executable, "-I", "-m", "venv", *options, str(venv)]
    done = subprocess.run(  # noqa: S603 - our own words
        command, capture_output=True, stdin=subprocess.DEVNULL, cwd=packages.PIP_FOLDER, check=False
    )
    return done.returncode == 0


def _give_pip(venv: Path) -> bool:
    """Unpack the distribution's pip, which is downloaded and not installed, into a virtual environment without one."""
    with tempfile.TemporaryDirectory(prefix="tuya-pip-") as temporary:
        wheel = packages.pip_of_distribution(Path(temporary), say)
        if wheel is None:
            return False
        _unpack_pip(wheel, venv)
    return True


def _unpack_pip(wheel: Path, venv: Path) -> None:
    site_packages = venv / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    wheels.unpack(wheel.name, wheel.read_bytes(), site_packages)
