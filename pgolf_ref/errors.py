"""Errors that a person can act on; anything else is a defect."""

from collections.abc import Sequence


class UserError(Exception):
    """One clear sentence: what is wrong, where, what was expected and what to do."""


class ConfigError(UserError):
    """Every problem of a configuration at once."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("invalid configuration: " + "; ".join(self.problems))
