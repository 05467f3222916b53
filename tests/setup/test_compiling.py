"""What the plugin imports is compiled when it is installed; what nobody imports is not."""

from __future__ import annotations

import sys
from pathlib import Path

from tuya.setup.compiling import compile_modules

IMPORTED = ("Crypto/Cipher/AES.py", "cli/pygments/token.py", "tinytuya/SelfTests.py")
NOT_IMPORTED = ("Crypto/SelfTest/Cipher/test_AES.py", "cli/pygments/lexers/python.py")


def compiled(folder: Path) -> set[str]:
    return {f"{path.parent.parent.relative_to(folder)}/{path.name.split('.')[0]}.py" for path in folder.rglob("*.pyc")}


def test_only_what_is_imported_is_compiled(tmp_path):
    for name in (*IMPORTED, *NOT_IMPORTED):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    compile_modules(sys.executable, tmp_path, ".")
    assert compiled(tmp_path) == set(IMPORTED)


def test_an_installation_is_compiled(installation):
    assert {"tuya/domoticz/bridge.py", "lib/Crypto/Cipher/AES.py", "lib/tinytuya/__init__.py"} <= compiled(installation)
    assert (installation / "__pycache__").is_dir()  # plugin.py


def test_what_cannot_be_compiled_is_no_fault(tmp_path):
    (tmp_path / "broken.py").write_text("x = (\n")
    compile_modules(sys.executable, tmp_path, "broken.py")
    compile_modules("/no/such/python", tmp_path, "broken.py")
