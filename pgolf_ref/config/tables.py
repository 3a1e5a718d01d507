"""A tree of frozen dataclasses to and from nested tables of plain values, as TOML and JSON hold them.

A value is an int, float, bool, str, a tuple of one of them, or a dataclass of such values.
"""

import dataclasses
import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args, get_origin, get_type_hints

from pgolf_ref.config.illegal import refuse_illegal
from pgolf_ref.config.root import Config
from pgolf_ref.config.unspecified import refuse_unspecified
from pgolf_ref.errors import ConfigError


def to_dict(config: Config) -> dict[str, dict[str, Any]]:
    """Plain tables of plain values, in declaration order."""
    return dataclasses.asdict(config)


def from_dict(tables: Mapping[str, Any], problems: Sequence[str] = ()) -> Config:
    """The configuration that `tables` describe; missing values keep their defaults, unknown or ill-typed ones are refused.

    ConfigError tells every problem at once, after those that are known already: names, types, and the rules that other values break.
    """
    told, refused = list(problems), list[str]()
    sections = _fields("", tables, Config, told, refused)
    try:
        config = Config(**sections)
    except ConfigError as error:
        told += [problem for problem in error.problems if not any(name in problem for name in refused)]
    if told:
        raise ConfigError(told)
    return config


def _fields(prefix: str, table: Mapping[str, Any], kind: Any, problems: list[str], refused: list[str]) -> dict[str, Any]:
    """Arguments of `kind`; names of values are told with their prefix, such as `model.attention.`, and those of refused values kept."""
    fields = get_type_hints(kind)
    values = {}
    for name, value in table.items():
        if name not in fields:
            refuse_unspecified(prefix + name)
            refuse_illegal(prefix + name)
            problems.append(_unknown(prefix + name, [prefix + known for known in fields], "value" if prefix else "table"))
            continue
        try:
            values[name] = _value(prefix + name, value, fields[name], problems, refused)
        except TypeError:
            problems.append(f"{prefix}{name} must be {_in_words(fields[name])}, not {value!r}")
            refused.append(prefix + name)
    return values


def _value(name: str, value: Any, wanted: Any, problems: list[str], refused: list[str]) -> Any:
    """`value` as the type that a field declares; TypeError where it is of another."""
    if dataclasses.is_dataclass(wanted) and isinstance(value, Mapping):
        return wanted(**_fields(f"{name}.", value, wanted, problems, refused))  # type: ignore[operator]
    if get_origin(wanted) is tuple and isinstance(value, list | tuple):
        return tuple(_value(name, item, get_args(wanted)[0], problems, refused) for item in value)
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted:
        raise TypeError
    return value


def _in_words(wanted: Any) -> str:
    if dataclasses.is_dataclass(wanted):
        return "a table of values"
    if get_origin(wanted) is tuple:
        return f"a list of type {get_args(wanted)[0].__name__}"
    return f"of type {wanted.__name__}"


def _unknown(name: str, known: Iterable[str], what: str) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"unknown {what} {name!r}" + (f" (did you mean {near[0]}?)" if near else "")
