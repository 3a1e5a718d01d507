"""D107: the tokens spell the exact bytes of the text; a tokenizer that folds case or a script that does it first loses some of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from pgolf_check.model import Answer, Certainty, Finding, Location, Witness
from pgolf_check.rules.answers import failed
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.source import reading
from pgolf_check.rules.words import may_hold
from pgolf_check.static import ir
from pgolf_check.static.walk import calls, library_name
from pgolf_check.stats.pieces import read_pieces
from pgolf_check.submission.model import Script

CODE = "D107"
ENCODES = frozenset(
    {"encode", "Encode", "EncodeAsIds", "encode_as_ids", "encode_ordinary", "encode_batch", "encode_ordinary_batch"}
)
FOLDS = frozenset({"lower", "casefold", "upper"})
GAP = r"(?:[\s\\]|#[^\n]*\n)*"
ENCODING = re.compile(
    rf"\.{GAP}(?:{'|'.join(sorted(ENCODES))})\b{GAP}\((?!\s*(?:[\"'][-\w]*[\"']\s*,?\s*(?:(?:errors\s*=\s*)?[\"']\w+[\"']\s*)?)?\))[^()\"'#]*[(\"'#]"
)
"""A method that encodes and whose arguments may hold another call: not nothing, a codec, or names alone."""


def check(facts: Facts) -> Answer:
    scripts = facts.submission.scripts.values()
    return failed(CODE, [*_models(facts), *(finding for script in scripts for finding in _folded(script))])


def _models(facts: Facts) -> Iterator[Finding]:
    """The shipped tokenizers whose normalisation is none of the accepted ones."""
    for file in facts.submission.files:
        table = read_pieces(file.data) if file.data is not None and PurePosixPath(file.path).suffix == ".model" else None
        if table is not None and (table.has_map or table.normalizer) and table.normalizer not in facts.edition.data.normalizers:
            told = f"{file.path} normalises text by {table.normalizer or 'a table of its own'!r} before it cuts it; accepted tokenizers have "
            told += " or ".join(facts.edition.data.normalizers)
            yield Finding(CODE, Witness.PAPER, Certainty.PROVEN, told, (Location(file.path),))


def _folded(script: Script) -> Iterator[Finding]:
    """The calls that encode a text whose letters were changed in the same expression."""
    text = script.text
    read = reading(text) if text is not None and _may_fold(text) else None
    if read is None:
        return
    for call in read.calls:
        if isinstance(call.func, ir.Attr) and call.func.name in ENCODES:
            for inner in (inner for argument in call.args for inner in calls(argument.value)):
                method = inner.func.name if isinstance(inner.func, ir.Attr) else ""
                if method in FOLDS and not inner.args or library_name(inner, read.bound) == "unicodedata.normalize":
                    told = f"text is changed by {method or 'normalize'} before it is encoded"
                    yield Finding(CODE, Witness.PAPER, Certainty.LIKELY, told, (Location(script.path, *ir.place(call.at)),))


def _may_fold(text: str) -> bool:
    """Whether a call that encodes something, and a name that changes letters, stand in the source."""
    return may_hold(text, FOLDS | {"normalize"}) and ENCODING.search(text) is not None
