"""Source that the audited program makes and runs at run time: followed where its text is constant."""

from __future__ import annotations

from pgolf_check.static import ir
from pgolf_check.static.machine import Machine
from pgolf_check.static.values import Data, Instance, Mapping, ModuleScope, Scope, Value, constant

MAX_NESTED = 4


def run_source(m: Machine, args: tuple[Value, ...], scope: Scope | None) -> Value:
    """exec and eval of a text that is known, in the caller's scope or a given namespace; otherwise noted as not followed."""
    from pgolf_check.static.expressions import evaluate
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
    home = _namespace(args, main) or scope or main
    try:
        if len(module.body) == 1 and type(module.body[0]) is ir.Expr:
            return evaluate(m, module.body[0].value, home)
        m.execute(m, module.body, home)
    finally:
        m.nested -= 1
    return None


def _namespace(args: tuple[Value, ...], main: ModuleScope) -> Scope | None:
    """The scope of the last dictionary that was given."""
    given = [arg for arg in args[1:] if type(arg) is Mapping]
    if not given:
        return None
    scope = Scope(main, None, main)
    scope.names = given[-1].items
    return scope
