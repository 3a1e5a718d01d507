"""What errors say, without the advice that follows a colon or semicolon at the end, and options without their help.

The script of a submission is short of room; in full words it keeps both.
"""

import ast
import re
from collections.abc import Sequence

from pgolf_ref.bundle.trees import walk

ADVICE = re.compile(r"[;:] [^;:]*$")


def without_advice(statements: Sequence[ast.stmt]) -> None:
    """Changes the messages of errors that are raised, and the options of command lines."""
    for statement in statements:
        for node in walk(statement):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                for each in node.exc.args:
                    _shorten(each)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
                node.keywords = [each for each in node.keywords if each.arg != "help"]


def _shorten(text: ast.expr) -> None:
    last = text.values[-1] if isinstance(text, ast.JoinedStr) and text.values else text
    if isinstance(last, ast.Constant) and isinstance(last.value, str):
        last.value = ADVICE.sub("", last.value)
