"""Importing the codec, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
PROGRAM = """
import sys
sys.modules["cffi"] = None  # as in an installation
started = []
sys.addaudithook(lambda event, _: started.append(event) if event.split(".")[0] in ("subprocess", "os") else None)
from tuya.lan.protocol import tinytuya_codec
codec = tinytuya_codec.load()
print(codec.crypto, [event for event in started if event in (
    "subprocess.Popen", "os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.spawn", "os.system")])
"""


def test_no_process_is_started() -> None:
    """Each start of a hardware would start one out of Domoticz."""
    ended = subprocess.run([sys.executable, "-c", PROGRAM], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ended.stdout == "PyCryptodome []\n", ended.stderr
