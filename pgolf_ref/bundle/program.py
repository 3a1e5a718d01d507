"""From a configuration to the text of its train_gpt.py. The same configuration gives the same text."""

import ast
from dataclasses import dataclass
from functools import cache

import python_minifier

from pgolf_ref.bundle.configuration import classes, expression, shared
from pgolf_ref.bundle.inline import inlined, unique_name
from pgolf_ref.bundle.kinds import Classes
from pgolf_ref.bundle.modules import Definition, Package, imported_modules, parsed
from pgolf_ref.bundle.names import named
from pgolf_ref.bundle.pack import packed
from pgolf_ref.bundle.positional import positional
from pgolf_ref.bundle.prune import pruned
from pgolf_ref.bundle.scopes import GlobalNames
from pgolf_ref.bundle.specialise import Specialiser
from pgolf_ref.config import Config

# Literals stay where they are: hoisting them saves bytes of the plain script, and costs more of the packed one.
SHORT = {"rename_globals": True, "hoist_literals": False, "remove_literal_statements": True}
ENTRY = Definition("pgolf_ref.bundle.entry", "main")


@dataclass(frozen=True, slots=True)
class _Library:
    """Everything but the last line of a script, and its names for the unique names that the last line needs."""

    text: str
    names: dict[str, str]


def bundle(config: Config, *, pack: bool = False) -> str:
    """A script that trains, exports and scores the configuration, and needs nothing of this package beside it.

    Seeds and data folder come from its command line, whatever the configuration says. With `pack` it unpacks itself.
    """
    library = _library(shared(config))
    last = python_minifier.minify(_started(shared(config), library.names), rename_globals=False, hoist_literals=False)
    script = f"{_minified(library.text, tuple(sorted(library.names.values())))}\n{last}\n"
    return packed(script, with_brotli="import brotli" in script) if pack else script


def readable(config: Config) -> str:
    """The same program with its names and a statement to a line."""
    library = _library(shared(config))
    return f"{library.text}\n{_started(shared(config), library.names)}\n"


@cache
def _library(config: Config) -> _Library:
    needed = [ENTRY, *classes(config)]
    package = Package(Specialiser(config, _classes()))
    statements = pruned(inlined(needed, package), [unique_name(each) for each in needed])
    module, names = named(statements)
    return _Library(ast.unparse(module), {unique_name(each): names[unique_name(each)] for each in needed})


@cache
def _classes() -> Classes:
    return Classes.of([parsed(name) for name in imported_modules(ENTRY.module)])


@cache
def _minified(text: str, kept: tuple[str, ...]) -> str:
    return str(python_minifier.minify(ast.unparse(positional(ast.parse(text))), preserve_globals=list(kept), **SHORT))


def _started(config: Config, names: dict[str, str]) -> str:
    """if __name__ == "__main__": main(Config(...))"""
    test = ast.Compare(ast.Name("__name__", ast.Load()), [ast.Eq()], [ast.Constant("__main__")])
    call = ast.Call(ast.Name(unique_name(ENTRY), ast.Load()), [expression(config)], [])
    statement = ast.If(test, [ast.Expr(call)], [])
    renamed = GlobalNames(
        lambda node: ast.Name(names[node.id], node.ctx) if isinstance(node, ast.Name) and node.id in names else None
    )
    return ast.unparse(ast.fix_missing_locations(renamed.visit(statement)))
