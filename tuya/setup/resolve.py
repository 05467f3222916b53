"""python3 -m tuya.setup.resolve: the pins of development and CI, resolved anew from pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Tuple

REPOSITORY = Path(__file__).resolve().parent.parent.parent
OLDEST_PYTHON = "3.9"
# file -> group in pyproject.toml, and what it must agree with
FILES = {
    "requirements-dev.txt": ("dev", ("-c", "requirements-cli.txt")),
    "requirements-tuyamock.txt": ("tuyamock", ()),
}


def command(uv: str, group: str, agreeing: Tuple[str, ...], output: str) -> Tuple[str, ...]:
    """Return the words that resolve one group for all Pythons and machines, with hashes."""
    return (
        *(uv, "pip", "compile", "pyproject.toml", "--group", group, "--universal", "--python-version", OLDEST_PYTHON),
        *(
            "--generate-hashes",
            "--no-annotate",
            "--no-header",
            "--upgrade",
            "--quiet",
            *agreeing,
            "--output-file",
            output,
        ),
    )


def head_of(path: Path) -> str:
    """Return the comment lines that a pin file begins with; they stay."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    count = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return "".join(lines[:count])


def main() -> int:
    """Write the pin files. Returns the exit code of what failed, else 0."""
    with tempfile.TemporaryDirectory() as temporary:
        venv.create(temporary, with_pip=True)
        python = str(Path(temporary, "bin", "python"))
        subprocess.run([python, "-I", "-m", "pip", "install", "--quiet", "uv"], check=True)  # noqa: S603 - ours
        for name, (group, agreeing) in FILES.items():
            path = REPOSITORY / name
            fresh = Path(temporary, name)
            words = command(str(Path(temporary, "bin", "uv")), group, agreeing, str(fresh))
            done = subprocess.run(words, cwd=REPOSITORY, check=False)  # noqa: S603 - uv, with words of ours
            if done.returncode != 0:
                return done.returncode
            path.write_text(head_of(path) + fresh.read_text(encoding="utf-8"), encoding="utf-8")
            sys.stdout.write(f"{name}: written; 'bash install.sh test' tries it\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
