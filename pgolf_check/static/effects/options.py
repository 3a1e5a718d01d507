"""Command line options as argparse reads them, from the arguments of the configuration."""

from __future__ import annotations

from pgolf_check.static.effects.builtins import BUILTINS
from pgolf_check.static.effects.signature import Args, Keywords
from pgolf_check.static.machine import Machine
from pgolf_check.static.values import Data, External, Instance, Sequence, Value

SWITCHES = ("store_true", "store_false")


def parser_method(m: Machine, parser: Instance, name: str, args: Args, keywords: Keywords) -> Value:
    known = parser.attrs.setdefault("__options__", Instance("argparse.Namespace"))
    if name == "add_argument":
        flags = [a for a in args if isinstance(a, str)]
        target = keywords.get("dest") or (max(flags, key=len).lstrip("-").replace("-", "_") if flags else "")
        action = keywords.get("action")
        default = keywords.get(
            "default", {"store_true": False, "store_false": True}.get(action) if isinstance(action, str) else None
        )
        if isinstance(target, str):
            m.heap.put_item(known.attrs, target, _argument(m, flags, default, keywords))
        return Data()
    if name in ("add_argument_group", "add_mutually_exclusive_group", "add_subparsers", "add_parser"):
        return parser
    if name == "parse_args":
        return known
    if name == "parse_known_args":
        return Sequence("tuple", (known, Sequence("list")))
    return Data()


def _argument(m: Machine, flags: list[str], default: Value, keywords: Keywords) -> Value:
    """The value of a command line option: from the configuration's arguments, else the default."""
    given: str | None = None
    for index, text in enumerate(m.arguments):
        head, _, tail = text.partition("=")
        if head in flags:
            if keywords.get("action") in SWITCHES:
                return keywords["action"] == "store_true"
            following = m.arguments[index + 1] if index + 1 < len(m.arguments) else ""
            given = tail or following
    if given is None:
        return Data() if m.any_options and keywords.get("action") in SWITCHES else default
    kind = keywords.get("type")
    if type(kind) is External and kind.path in ("builtins.int", "builtins.float"):
        return BUILTINS[kind.path.partition(".")[2]](m, (given,), {})
    return given
