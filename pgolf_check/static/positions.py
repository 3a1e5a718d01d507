"""Places of the tokens of a Python source: one pass that knows strings, nested f-strings, brackets and logical lines.

The nodes of libcst carry no place, so the lowering walks these tokens alongside the tree (`Cursor`). Every logical line starts after a
newline token, where both are aligned again. Literal text of f-strings, conversions, comments and blanks are no tokens.
"""

from __future__ import annotations

import re

from pgolf_check.static import ir

MAX_NESTING = 200
MAX_LINE = 0xFFFFF

_PREFIX = r"(?:[bB][rR]?|[rR][bB]?|[uU])?"
_STRING = "|".join(
    (
        r"'''[^'\\]*+(?:(?:\\[\s\S]|'(?!''))[^'\\]*+)*+'''",
        r'"""[^"\\]*+(?:(?:\\[\s\S]|"(?!""))[^"\\]*+)*+"""',
        r"'[^'\\\n]*+(?:\\[\s\S][^'\\\n]*+)*+'",
        r'"[^"\\\n]*+(?:\\[\s\S][^"\\\n]*+)*+"',
    )
)
_DIGITS = r"[0-9](?:_?[0-9])*"
_NUMBER = "|".join(
    (
        r"0[xX](?:_?[0-9a-fA-F])+",
        r"0[bB](?:_?[01])+",
        r"0[oO](?:_?[0-7])+",
        rf"(?:{_DIGITS}\.?(?:{_DIGITS})?|\.{_DIGITS})(?:[eE][-+]?{_DIGITS})?[jJ]?",
    )
)
_OPERATOR = r"\*\*=?|//=?|>>=?|<<=?|!=|->|\.\.\.|[-+*/%@&|^=<>]=?|[~.,;]"

_SEPARATORS = frozenset((")", "]", "}", ",", "=", "->", ";"))

_TOKEN = re.compile(
    rf"""[ \t\f]*+(?:
    ([^\W\d]\w*+(?!['"])|{_NUMBER}|{_OPERATOR})
    |([(\[{{])
    |([)\]}}])
    |(:=?|!)
    |(\n|\#[^\n]*|\\\n)
    |({_PREFIX}(?:{_STRING}))
    |((?:[fFtT][rR]?|[rR][fFtT])(?:'{{3}}|"{{3}}|'|"))
    |([^\W\d]\w*+|[^ \t\f])
    )""",
    re.VERBOSE,
)
_PLAIN, _OPEN_BRACKET, _CLOSE_BRACKET, _FIELD, _LINE, _STRING_TOKEN, _FSTRING_START, _OTHER = range(1, 9)
_CONVERSION = re.compile(r"\s*\w*")
_LITERAL_MARK = {quote: re.compile(rf"\\|\{{\{{?|\}}\}}?|\n|{quote}") for quote in ("'", '"', "'''", '"""')}


class CannotParse(Exception):
    """A source that is no Python, or that is refused for its size or nesting; `line` and `column` are 1-based."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


class _Literal:
    """The literal text of an f-string, or of a format specification in it, that is being read."""

    __slots__ = ("quote", "raw", "specification")

    def __init__(self, quote: str, raw: bool, specification: bool) -> None:
        self.quote = quote
        self.raw = raw
        self.specification = specification


class Tokens:
    """The tokens of a source: `texts[i]` at `places[i]` (packed) and offset `starts[i]`; "\\n" begins and ends every logical line."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.texts: list[str] = ["\n"]
        self.places: list[int] = [ir.pack(1, 1)]
        self.starts: list[int] = [0]
        self._base = ir.pack(1, 1)
        self._depth = 0
        self._open: list[_Literal | int] = []
        position = 0
        while position < len(text):
            top = self._open[-1] if self._open else 0
            position = self._literal(top, position) if isinstance(top, _Literal) else self._code(top, position)
        if self.texts[-1] != "\n":
            self._push("\n", len(text))

    def _push(self, text: str, start: int) -> None:
        self.texts.append(text)
        self.places.append(self._base + start)
        self.starts.append(start)

    def _pass(self, start: int, end: int) -> None:
        """The text from start to end was read: count its line ends."""
        count = self.text.count("\n", start, end)
        if count:
            line = (self._base + start >> 20) + count
            self._base = ir.pack(line, 1) - self.text.rindex("\n", start, end) - 1

    def _code(self, field: int, position: int) -> int:
        """Tokens up to the start of an f-string, or to the end of the replacement field whose brackets are `field` deep."""
        push_text, push_place, push_start = self.texts.append, self.places.append, self.starts.append
        base, plain = self._base, _PLAIN
        for match in _TOKEN.finditer(self.text, position):
            kind = match.lastindex or plain
            if kind != plain:
                resume = self._mark(kind, match, field)
                base = self._base
                if resume > 0:
                    return resume
                if resume < 0:
                    continue
            start = match.start(kind)
            push_text(match[kind])
            push_place(base + start)
            push_start(start)
        return len(self.text)

    def _mark(self, kind: int | None, match: re.Match[str], field: int) -> int:
        """What a token that is not plain does: 0 to record it, -1 to pass over it, or where to go on in another mode."""
        start, end = match.start(kind or 0), match.end()
        if kind == _OPEN_BRACKET:
            self._enter(start)
        elif kind == _STRING_TOKEN:
            self._push(match[kind], start)
            self._pass(start, end)
            return -1
        elif kind == _LINE:
            if self._depth == 0 and match[kind] == "\n" and self.texts[-1] != "\n":
                self._push("\n", start)
            self._pass(start, end)
            return -1
        elif kind == _FSTRING_START:
            self._push(match[kind], start)
            prefix = match[kind].rstrip("'\"")
            self._open.append(_Literal(match[kind][len(prefix) :], len(prefix) > 1, False))
            return end
        elif kind != _OTHER and field and self._depth == field:
            return self._field_mark(match[kind or 0][0], start)
        elif kind == _CLOSE_BRACKET:
            self._depth = max(self._depth - 1, 0)
        return 0

    def _enter(self, start: int) -> None:
        self._depth += 1
        if self._depth > MAX_NESTING:
            line, column = ir.place(self._base + start)
            raise CannotParse(f"brackets nested more than {MAX_NESTING} deep", line, column)

    def _field_mark(self, mark: str, start: int) -> int:
        """A closing bracket, ":" or "!" at the level of a replacement field."""
        if mark == "!":
            found = _CONVERSION.match(self.text, start + 1)
            return found.end() if found else start + 1
        literal = next(frame for frame in reversed(self._open) if isinstance(frame, _Literal))
        if mark == ":":
            self._open.append(_Literal(literal.quote, literal.raw, True))
        else:
            self._open.pop()
            self._depth -= 1
        return start + 1

    def _literal(self, literal: _Literal, position: int) -> int:
        """Literal text up to a replacement field or the end of the string; where to go on."""
        start, pattern = position, _LITERAL_MARK[literal.quote]
        while match := pattern.search(self.text, position):
            mark, at, position = match[0], match.start(), match.end()
            if mark == "\\":
                position = self._escape(literal, position)
            elif mark in ("{{", "}}") and not literal.specification:
                continue
            elif mark[0] == "{":
                self._pass(start, at)
                self._enter(at)
                self._open.append(self._depth)
                return at + 1
            elif mark[0] == "}":
                if literal.specification:
                    self._pass(start, at)
                    del self._open[-2:]
                    self._depth -= 1
                    return at + 1
            elif mark != "\n" or len(literal.quote) == 1:
                self._pass(start, position)
                self._close()
                return position
        self._open.clear()
        return len(self.text)

    def _escape(self, literal: _Literal, position: int) -> int:
        """Behind a backslash: where the literal text goes on."""
        if not literal.raw and self.text.startswith("N{", position):
            return self.text.find("}", position) + 1 or position
        return position if self.text[position : position + 1] in ("{", "}") else position + 1

    def _close(self) -> None:
        """The end of an f-string; in a format specification it also ends the field, which was left open."""
        while self._open:
            frame = self._open.pop()
            if isinstance(frame, int):
                self._depth = frame - 1
            elif not frame.specification:
                break


class Cursor:
    """A walk over the tokens beside the tree, never beyond the logical line that was entered last."""

    def __init__(self, tokens: Tokens) -> None:
        self.texts = tokens.texts
        self.places = tokens.places
        self.next = 0
        self.stop = 0

    def line(self) -> int:
        """Enter the next logical line; the place of its first token."""
        texts = self.texts
        self.next = min(self.stop + 1, len(texts) - 1)
        self.stop = texts.index("\n", self.next)
        return self.places[self.next]

    def take(self, text: str) -> int:
        """Go behind the next token that reads `text`; its place."""
        try:
            found = self.texts.index(text, self.next, self.stop)
        except ValueError:
            return self.places[min(self.next, self.stop)]
        self.next = found + 1
        return self.places[found]

    def begin(self, parentheses: int = 0) -> int:
        """Go to the first token of the expression that comes next, behind its own `parentheses`; its place."""
        texts, index = self.texts, self.next
        while texts[index] in _SEPARATORS:
            index += 1
        self.next = min(index + parentheses, self.stop)
        return self.places[self.next]
