"""Calls that are taken from memory leave what they leave when they are run: the reference is the same engine without the memory."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from abstract_runs import runs
from hypothesis import given, settings
from hypothesis import strategies as st

from pgolf_check.model import Event, Region
from pgolf_check.static import memo
from pgolf_check.static.facts import StaticRun
from pgolf_check.static.machine import Machine
from pgolf_check.static.values import Function, Value


@contextmanager
def without_memory() -> Iterator[None]:
    def run_it(
        self: memo.Memory, m: Machine, func: Function, args: tuple[Value, ...], keywords: dict[str, Value], run: Callable[[], Value]
    ) -> Value:
        return run()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memo.Memory, "call", run_it)
        yield


@contextmanager
def keeping_all() -> Iterator[None]:
    """Keep calls however short they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memo, "MIN_STEPS", 0)
        yield


def events_of(run: StaticRun) -> list[Event]:
    return [*run.reports, *run.scores, *run.unused]


def plain(value: Any, rename: Callable[[int], int]) -> Any:
    """An event without the numbers of loop instances, which differ where loops were not run."""
    if isinstance(value, Region):
        return value.stream, sorted((rename(loop), number) for loop, number in value.iterations)
    if isinstance(value, Event):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        loops = {name: [(rename(loop), number) for loop, number in fields.pop(name)] for name in ("loop", "made")}
        return loops, [(name, plain(part, rename)) for name, part in sorted(fields.items())]
    if isinstance(value, tuple | frozenset):
        return sorted((plain(part, rename) for part in value), key=repr)
    return value


def told(run: StaticRun) -> Any:
    """All that rules read of a run, loop instances being numbered in the order of their appearance."""
    found: set[int] = set()
    plain(tuple(events_of(run)), lambda loop: found.add(loop) or loop)  # type: ignore[func-returns-value]
    ranks = {loop: rank for rank, loop in enumerate(sorted(found))}
    return [plain(event, ranks.__getitem__) for event in events_of(run)], run.unfollowed


def both(source: str) -> tuple[StaticRun, StaticRun]:
    """The first run of a script with and without the memory."""
    with keeping_all():
        kept = runs(source)[0]
    with without_memory():
        return kept, runs(source)[0]


LOOP = """
def rotate(v, w):
    half = v.size(-1) // 2
    a, b = v[..., :half], v[..., half:]
    return torch.cat((a * w + b, b * w - a), dim=-1), [a]

total = 0
for i in range(100):
    for epoch in range(3):
        h, parts = rotate(model(x[i * 8:i * 8 + 8]), 0.5)
        for layer in range(9):
            h, _ = rotate(h, 0.5)
        loss = F.cross_entropy(h + parts[0], y[i * 8:i * 8 + 8])
        total += loss.item()
        loss.backward()
        optimizer.step()
print(f"val_bpb:{total:.4f}")
"""


def test_calls_that_are_alike_are_run_once_and_tell_the_same() -> None:
    kept, reference = both(LOOP)
    assert told(kept) == told(reference) and kept.reports and len(kept.scores) > 1
    assert kept.steps < reference.steps


NOT_ALIKE = {
    "a list outside is written": """
        seen = []
        def f(v):
            seen.append(v)
            return v * 2
        f(model(x[:8])); f(y[8:16])
        value = F.cross_entropy(model(x[:8]) + seen[1], y[:8])""",
    "a global is bound anew": """
        scale = model(x[:8])
        def f(v):
            return v + scale
        value = f(1) * 0
        scale = F.cross_entropy(model(x[8:16]), y[8:16])
        value = value + f(1)""",
    "a global tensor is written": """
        scale = torch.zeros(8)
        def f(v):
            return v + scale
        value = f(1) * 0
        scale.add_(F.cross_entropy(model(x[8:16]), y[8:16]))
        value = value + f(1)""",
    "the argument is written": """
        def f(v, w):
            v += w
            return w
        a, b = torch.zeros(8), torch.zeros(8)
        f(a, model(x[:8])); f(b, model(x[:8]))
        value = F.cross_entropy(b, y[:8])""",
    "the result is a view of the argument": """
        def f(v):
            return v.view(-1)
        a, b = torch.zeros(8), torch.zeros(8)
        f(a).add_(model(x[:8])); f(b).add_(model(x[:8]))
        value = F.cross_entropy(b, y[:8])""",
    "a table is filled inside": """
        table = torch.zeros(1024)
        def f(t):
            table.index_add_(0, t, torch.ones(8))
            return t
        f(x[:8]); f(x[8:16])
        value = F.cross_entropy(model(x[:8]) + table, y[:8])""",
    "the state trains between": """
        def f(v, t):
            return F.cross_entropy(v, t)
        f(model(x[:8]), y[:8]).backward()
        optimizer.step()
        value = f(model(x[:8]), y[:8])""",
    "constants differ": """
        def f(v, take):
            return v if take else v * 0 + 1
        f(1, True); f(1, False)
        value = f(F.cross_entropy(model(x[:8]), y[:8]), True)""",
    "a number is known relative to another": """
        def f(n):
            return n + 1
        a, b = f(x.size(0)), f(y.size(0))
        value = F.cross_entropy(model(x[:a - 1]), y[b:])""",
    "inputs and targets": """
        def f(t):
            return t[1:].reshape(-1)
        f(x[:8])
        value = F.cross_entropy(model(x[:7]), f(y[:8]))""",
}


@pytest.mark.parametrize("source", NOT_ALIKE.values(), ids=NOT_ALIKE)
def test_calls_that_are_not_alike_tell_the_same(source: str) -> None:
    kept, reference = both(textwrap.dedent(source) + '\nprint(f"val_bpb:{value:.4f}")\n')
    assert told(kept) == told(reference) and kept.reports


ATOMS = ("v", "w", "n", "g", "TABLE", "v.size(0)", "0", "True", "torch.zeros(8)", "v.detach()")
FORMS = (
    "({a} + {b})", "({a} * {b})", "({a})[:, {b}]", "({a})[{b}:]", "({a})[:{b}]", "torch.cat(({a}, {b}))", "torch.where({a}, {b}, {c})", "({a}, {b})[0]",
    "TABLE[{a}]", "({a}).sum()", "(({a}) if ({b}) else ({c}))", "[{a}, {b}][-1]", "helper({a}, {b})", "torch.log({a})", "({a}).view(-1)", "({a} - {b})",
)  # fmt: skip
DONE = (
    "v = {e}", "w = {e}", "n = {e}", "v += {e}", "w[{e}] = {e}", "SEEN.append({e})", "TABLE.add_({e})", "global g; g = {e}",
    "if {e}:\n        return {e}", "for k in range(3):\n        v = v + w[k]", "u = [{e}]\n    u.append({e})\n    v = u[0]",
)  # fmt: skip
CALLS = (
    "h = f(model(x[i]), y[i], {n})", "h = f(h, x[i], {n})", "h = f(y[i], h, {n})", "h = f(h, h, {n})", "f(state, h, {n})", "state = f(state, x[i:], i)",
    "F.cross_entropy(h, y[i]).backward(); optimizer.step()", "total += F.cross_entropy(h, y[i]).item()", "h = model(x[i])", "TABLE[x[i]] += 1",
)  # fmt: skip


@st.composite
def expressions(draw: st.DrawFn, depth: int = 2) -> str:
    if depth == 0 or draw(st.booleans()):
        return draw(st.sampled_from(ATOMS))
    parts = {name: draw(expressions(depth=depth - 1)) for name in "abc"}
    return draw(st.sampled_from(FORMS)).format(**parts)


@st.composite
def scripts(draw: st.DrawFn) -> str:
    """A function of any content, called in a loop between steps and scores."""
    body = []
    for form in draw(st.lists(st.sampled_from(DONE), max_size=4)):
        while "{e}" in form:
            form = form.replace("{e}", draw(expressions()), 1)
        body.append(form)
    body.sort(key=lambda line: not line.startswith("global"))
    returned = draw(st.sampled_from(("{a}", "({a}, {b})", "[{a}]"))).format(a=draw(expressions()), b=draw(expressions()))
    calls = [
        call.format(n=draw(st.sampled_from(("1", "2", "n", "True"))))
        for call in draw(st.lists(st.sampled_from(CALLS), min_size=3, max_size=8))
    ]
    lines = ["g, TABLE, SEEN, n = 1, torch.zeros(1024), [], 3", "def helper(a, b):", "    return a * b + TABLE", "def f(v, w, n):"]
    lines += [f"    {line}" for line in dict.fromkeys(body)] + [f"    return {returned}"]
    work = ["h, state, total = model(x[:8]), torch.zeros(8), 0", "for i in range(100):", *(f"    {call}" for call in calls)]
    work += ["total += F.cross_entropy(h, y).item()", 'print(f"val_bpb:{total:.4f}")']
    if draw(st.booleans()):
        work = ["def main():", *(f"    {line}" for line in work), "main()"]
    return "\n".join([*lines, *work, ""])


@settings(max_examples=60, deadline=None)
@given(scripts())
def test_any_script_tells_the_same(source: str) -> None:
    kept, reference = both(source)
    assert told(kept) == told(reference)
