"""The commands that README and docs tell a person to type, as they stand there, and what our own parsers know."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
from pathlib import Path
from typing import Dict, FrozenSet, List, NamedTuple, Set

from tuya.__main__ import COMMANDS

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
# What a line begins with that is to be typed. Whatever else is between backticks is a name, a value or a key.
PROGRAMS = frozenset(
    (
        *("apt", "apt-get", "bash", "cd", "chmod", "chown", "cp", "curl", "docker", "git", "grep", "journalctl", "ls"),
        *("make", "mkdir", "mosquitto_pub", "mosquitto_sub", "mv", "openssl", "pip", "pip3", "podman", "python"),
        *("python3", "rm", "sed", "service", "sh", "ssh", "sudo", "systemctl", "tail", "tar", "tuya-cli", "unzip"),
        *("uv", "wget"),
    )
)
SHELLS = frozenset(("", "sh", "bash", "shell", "console"))
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")


class Block(NamedTuple):
    """What stands between two fences."""

    page: str
    language: str
    text: str


def blocks(page: Path) -> List[Block]:
    """Return the fenced blocks of a page in their order."""
    text = page.read_text(encoding="utf-8")
    return [Block(page.name, language, content) for _, language, content in FENCE.findall(text)]


def spans(page: Path) -> List[str]:
    """Return what stands between single backticks, line breaks made spaces, in the order of the page."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]


def is_command(span: str) -> bool:
    """Whether a person would type it: a program's name and a word behind it, or a sub-command of ours with options."""
    words = span.split()
    while words and ASSIGNMENT.fullmatch(words[0]):
        words = words[1:]
    if len(words) < 2:
        return False
    return words[0] in PROGRAMS or (words[0] in COMMANDS and words[1].startswith("-"))


def lines_of(block: Block) -> List[str]:
    """Return the commands of a block, one a line; comments and a prompt are none."""
    lines = (re.sub(r"^\$ |\s+#.*$", "", line).strip() for line in block.text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def commands() -> Dict[str, Set[str]]:
    """Return every command of README and docs, each with the pages that it stands on."""
    found: Dict[str, Set[str]] = {}
    for page in PAGES:
        lines = [span for span in spans(page) if is_command(span)]
        for block in blocks(page):
            if block.language in SHELLS:
                lines += lines_of(block)
        for line in lines:
            found.setdefault(line, set()).add(page.name)
    return found


def parser_of(sub_command: str) -> argparse.ArgumentParser:
    """Return the parser that `python3 -m tuya SUB_COMMAND` has."""
    parser = argparse.ArgumentParser(prog=sub_command)
    importlib.import_module(f"tuya.cli.{COMMANDS[sub_command][0]}").add_arguments(parser)
    return parser


def options_of(parser: argparse.ArgumentParser) -> FrozenSet[str]:
    """Return the options that a parser knows, sub-parsers included."""
    found: Set[str] = set()
    for action in parser._actions:
        found.update(action.option_strings)
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                found |= options_of(sub)
    return frozenset(found)


def options_in(text: str) -> List[str]:
    """Return the options that stand in a command or alone between backticks."""
    return [word.split("=")[0] for word in shlex.split(text) if re.match(r"--?[a-z]", word)]
