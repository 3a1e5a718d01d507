"""Source in Python 3.12's grammar under an older interpreter. Runs in the sandbox alone."""

from __future__ import annotations

import builtins
import io
import sys
import tokenize
from collections.abc import Callable
from typing import Any


def _compiled(compile_: Callable[..., Any], source: Any, *args: Any, **kwargs: Any) -> Any:
    try:
        return compile_(source, *args, **kwargs)
    except SyntaxError as error:
        text = _text(source)
        if text is None:
            raise
        from grammar import in_older_grammar  # type: ignore[import-not-found]  # slow to import, seldom needed

        try:
            older = in_older_grammar(text)
        except Exception:  # noqa: BLE001  (whatever the rewriting meets, the error is that of the source)
            raise error from None
        return compile_(older, *args, **kwargs)


def _text(source: Any) -> str | None:
    if isinstance(source, str):
        return source
    if not isinstance(source, bytes | bytearray):
        return None
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        return bytes(source).decode(encoding)
    except (SyntaxError, UnicodeDecodeError):
        return None


def install() -> None:
    """From now on `compile`, `exec` and imports take source in the grammar of Python 3.12."""
    if sys.version_info >= (3, 12):
        return
    compile_, exec_ = builtins.compile, builtins.exec

    def compiles(source: Any, filename: Any, mode: str, *args: Any, dont_inherit: bool = True, **kwargs: Any) -> Any:
        if mode != "exec":
            return compile_(source, filename, mode, *args, dont_inherit=dont_inherit, **kwargs)
        return _compiled(compile_, source, filename, mode, *args, dont_inherit=dont_inherit, **kwargs)

    def executes(source: Any, globals: Any = None, locals: Any = None, /, **kwargs: Any) -> None:
        caller = sys._getframe(1)
        outer = caller.f_globals if globals is None else globals
        inner = (caller.f_locals if globals is None else outer) if locals is None else locals
        code = _compiled(compile_, source, "<string>", "exec", dont_inherit=True) if _text(source) is not None else source
        exec_(code, outer, inner, **kwargs)

    builtins.compile = compiles
    builtins.exec = executes
