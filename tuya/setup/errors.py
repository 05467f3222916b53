"""The errors of the set-up."""

from __future__ import annotations


class SetupError(Exception):
    """Something cannot be set up here. The text says what happened and what the user can do."""


class WrongUse(SetupError):
    """An option names something that is not there: exit code 2 instead of 1."""
