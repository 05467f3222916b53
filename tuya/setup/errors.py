"""The one error of the set-up. Knows nothing else."""

from __future__ import annotations


class SetupError(Exception):
    """Something cannot be set up here. The text says what happened and what the user can do."""
