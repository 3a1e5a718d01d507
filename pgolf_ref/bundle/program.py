"""From a configuration to the text of its train_gpt.py. The same configuration gives the same text."""

import ast
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import python_minifier

from pgolf_ref.bundle.attributes import own_attributes, shortened
from pgolf_ref.bundle.configuration import classes, expression, shared
from pgolf_ref.bundle.inline import inlined, unique_name
from pgolf_ref.bundle.kinds import Classes
from pgolf_ref.bundle.messages import without_advice
from pgolf_ref.bundle.modules import Definition, Package, imported_modules, parsed
from pgolf_ref.bundle.names import named
from pgolf_ref.bundle.pack import packed
from pgolf_ref.bundle.positional import positional
from pgolf_ref.bundle.shrink import shrunk
from pgolf_ref.bundle.specialise import Specialiser
from pgolf_ref.bundle.strip import stripped
from pgolf_ref.bundle.trees import copied
from pgolf_ref.config import Config

# Literals stay where they are: with names of their own before the imports, a log would not be known to begin with the script.
SHORT = {"rename_globals": True, "hoist_literals": False, "remove_literal_statements": True}
ENTRY = Definition("pgolf_ref.bundle.entry", "main")


@contextmanager
def _uncollected() -> Iterator[None]:
    """No search for cycles among all objects of the process while so many small ones are made; it was a seventh of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@_uncollected()
def bundle(config: Config, *, pack: bool = False) -> str:
    """A script that trains, exports and scores the configuration, and needs nothing of this package beside it.

    Seeds and data folder come from its command line, whatever the configuration says. With `pack` it unpacks itself.
    """
    script = _minified(_written(shared(config), full=False))
    return packed(script, with_brotli="import brotli" in script) if pack else script


@_uncollected()
def readable(config: Config) -> str:
    """The same program with its names and a statement to a line."""
    return f"{_written(shared(config), full=True)}\n"


def _written(config: Config, *, full: bool) -> str:
    """The text of the program, in full or with short names for its attributes and short messages."""
    statements, names = _program(config)
    own = stripped(copied(list(statements)))
    if not full:
        shortened(own, names)
        without_advice(own)
    return ast.unparse(named(own))


@cache
def _program(config: Config) -> tuple[tuple[ast.stmt, ...], frozenset[str]]:
    """Statements for all, with unique names and with annotations, and the attributes that may have other names."""
    package = Package(Specialiser(config, _classes()))
    statements = shrunk(inlined([ENTRY, *classes(config)], package), _started(config))
    return tuple(statements), own_attributes(statements)


@cache
def _classes() -> Classes:
    return Classes.of([parsed(name) for name in imported_modules(ENTRY.module)])


@cache
def _minified(text: str) -> str:
    return str(python_minifier.minify(ast.unparse(positional(ast.parse(text))), **SHORT)) + "\n"


def _started(config: Config) -> ast.stmt:
    """if __name__ == "__main__": main(Config(...))"""
    test = ast.Compare(ast.Name("__name__", ast.Load()), [ast.Eq()], [ast.Constant("__main__")])
    call = ast.Call(ast.Name(unique_name(ENTRY), ast.Load()), [expression(config)], [])
    return ast.fix_missing_locations(ast.If(test, [ast.Expr(call)], []))
