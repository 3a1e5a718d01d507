"""The error that a person can act on; anything else is a defect."""

from __future__ import annotations


class UserError(Exception):
    """One clear sentence: what is wrong, where, what was expected and what to do."""
