"""From a configuration to the text of its train_gpt.py. The same configuration gives the same text."""

import ast
from functools import lru_cache

import python_minifier

from pgolf_ref.bundle.configuration import classes, expression, shared
from pgolf_ref.bundle.inline import inlined, unique_name
from pgolf_ref.bundle.modules import Definition
from pgolf_ref.bundle.names import named
from pgolf_ref.bundle.pack import packed
from pgolf_ref.config import Config

ENTRY = Definition("pgolf_ref.bundle.entry", "main")


def bundle(config: Config, *, pack: bool = False) -> str:
    """A script that trains, exports and scores the configuration, and needs nothing of this package beside it.

    Seeds and data folder come from its command line, whatever the configuration says. With `pack` it unpacks itself.
    """
    script = _minified(shared(config))
    return packed(script) if pack else script


def readable(config: Config) -> str:
    """The same program with its names and a statement to a line."""
    own = shared(config)
    statements = inlined([ENTRY, *classes(own)])
    return ast.unparse(named([*statements, _started(own)])) + "\n"


@lru_cache(maxsize=32)
def _minified(config: Config) -> str:
    return str(python_minifier.minify(readable(config), rename_globals=True, remove_literal_statements=True)) + "\n"


def _started(config: Config) -> ast.stmt:
    """if __name__ == "__main__": main(Config(...))"""
    test = ast.Compare(ast.Name("__name__", ast.Load()), [ast.Eq()], [ast.Constant("__main__")])
    call = ast.Call(ast.Name(unique_name(ENTRY), ast.Load()), [expression(config)], [])
    return ast.If(test, [ast.Expr(call)], [])
