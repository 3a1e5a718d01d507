"""Sources refused before libcst sees them: it is recursive in native code, and a source that exhausts the stack kills the process.

The limits are far above what people write and below what libcst 1.9 survives with a stack of 8 MiB; brackets are limited in `positions`.
"""

from __future__ import annotations

from itertools import groupby, pairwise

from pgolf_check.static import ir
from pgolf_check.static.positions import MAX_LINE, CannotParse, Tokens

MAX_TEXT = 5_000_000
MAX_RUN = 11_000
MAX_SIGNS = 1_000
MAX_LAMBDAS = 200
MAX_ELIF = 4_000
_SEPARATORS = frozenset((",", ";", "\n"))
_SIGNS = frozenset(("not", "-", "+", "~"))


def check_size(text: str) -> None:
    if len(text) > MAX_TEXT:
        raise CannotParse(f"the source has {len(text):,} characters, more than {MAX_TEXT:,}", 1, 1)
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) >= MAX_LINE:
            raise CannotParse(f"a line has {len(line):,} characters, more than {MAX_LINE - 1:,}", number, 1)


def check_nesting(tokens: Tokens) -> None:
    """Long runs of tokens without a comma, of signs, of lambdas and of `elif`."""
    texts = tokens.texts
    if texts.count("elif") > MAX_ELIF:
        _refuse(f"more than {MAX_ELIF:,} `elif`", tokens, texts.index("elif"))
    if sum(map(texts.count, _SIGNS)) > MAX_SIGNS:
        _check_signs(tokens)
    lambdas = texts.count("lambda") > MAX_LAMBDAS
    for start, end in pairwise([index for index, text in enumerate(texts) if text in _SEPARATORS]):
        if end - start > MAX_RUN:
            _refuse(f"an expression of more than {MAX_RUN:,} tokens", tokens, start + 1)
        if lambdas and end - start > MAX_LAMBDAS and texts[start:end].count("lambda") > MAX_LAMBDAS:
            _refuse(f"more than {MAX_LAMBDAS} lambdas in one expression", tokens, start + 1)


def _check_signs(tokens: Tokens) -> None:
    index = 0
    for sign, run in groupby(tokens.texts, _SIGNS.__contains__):
        length = sum(1 for _ in run)
        if sign and length > MAX_SIGNS:
            _refuse(f"more than {MAX_SIGNS:,} signs in a row", tokens, index)
        index += length


def _refuse(message: str, tokens: Tokens, index: int) -> None:
    raise CannotParse(message, *ir.place(tokens.places[index]))
