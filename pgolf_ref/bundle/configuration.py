"""The configuration of a submission as an expression, with what its runs share and no more."""

import ast
import dataclasses
import math
from typing import Any

from pgolf_ref.bundle.inline import unique_name
from pgolf_ref.bundle.modules import Definition
from pgolf_ref.config import Config


def shared(config: Config) -> Config:
    """Without seeds and data folder, which the command line of a submission gives, and without checkpoints, which it does not keep."""
    run, data = Config().run, Config().data
    return dataclasses.replace(
        config,
        run=dataclasses.replace(config.run, seed_init=run.seed_init, seed_data=run.seed_data, checkpoint_every=0),
        data=dataclasses.replace(config.data, path=data.path),
    )


def classes(table: Any) -> list[Definition]:
    """The classes of a section and of all sections within it."""
    values = [getattr(table, field.name) for field in dataclasses.fields(table)]
    inner = [each for value in values if dataclasses.is_dataclass(value) for each in classes(value)]
    return [Definition(type(table).__module__, type(table).__name__), *inner]


def expression(table: Any) -> ast.expr:
    """A call of the class with the values that differ from its defaults; global names are unique."""
    kind = Definition(type(table).__module__, type(table).__name__)
    values = [ast.keyword(name, _value(value)) for name, value in _changed(table).items()]
    return ast.Call(ast.Name(unique_name(kind), ast.Load()), [], values)


def _value(value: Any) -> ast.expr:
    if dataclasses.is_dataclass(value):
        return expression(value)
    if isinstance(value, float) and not math.isfinite(value):
        return ast.parse(f"float('{value}')", mode="eval").body
    return ast.parse(repr(value), mode="eval").body


def _changed(table: Any) -> dict[str, Any]:
    default = type(table)()
    values = {field.name: getattr(table, field.name) for field in dataclasses.fields(table)}
    return {name: value for name, value in values.items() if value != getattr(default, name)}
