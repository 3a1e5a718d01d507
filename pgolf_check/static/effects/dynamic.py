"""Source that the audited program makes and runs at run time: followed where its text is constant."""

from __future__ import annotations

from pgolf_check.static.machine import Machine
from pgolf_check.static.values import Data, Instance, Scope, Value, constant

MAX_NESTED = 4


def run_source(m: Machine, args: tuple[Value, ...]) -> Value:
    """exec and eval of a text that is known; otherwise the place is noted as not followed."""
    from pgolf_check.static.lower import CannotParse, lower

    m.acts += 1
    source = args[0] if args else None
    if type(source) is Instance and source.cls == "builtins.code":
        source = source.held[0]
    text = constant(source)
    if not isinstance(text, str) or m.nested >= MAX_NESTED:
        m.not_followed("source that is computed at run time is executed")
        return Data()
    main = m.modules.get("__main__")
    if main is None:
        return Data()
    try:
        module = lower(text)
    except CannotParse as error:
        m.not_followed(f"source that is executed does not parse: {error}")
        return Data()
    m.nested += 1
    scope: Scope = main
    m.execute(m, module.body, scope)
    m.nested -= 1
    return Data()
