"""Writes reach every tensor that the written one is a view of, each once, however many ways lead there."""

from __future__ import annotations

from pgolf_check.model import Location, Region
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import Read
from pgolf_check.static.statements import run_block
from pgolf_check.static.values import Data, viewed


def diamonds(depth: int) -> tuple[Data, Data]:
    """A tensor, and a view of it along 2 ** depth ways."""
    source = view = Data()
    for _ in range(depth):
        view = Data(bases=(Data(bases=(view,)), Data(bases=(view,))))
    return source, view


def test_every_base_is_found_once() -> None:
    source, view = diamonds(100)
    found = viewed(view)
    assert found[0] is view and any(part is source for part in found)
    assert len(found) == len({id(part) for part in found}) == 301


def test_a_write_to_a_view_reaches_its_source() -> None:
    source, view = diamonds(100)
    read = frozenset((Read(Region("validation"), Location("a.py", 1)),))
    Machine({}, (), lambda name: None, run_block).write(view, read, replace=True)
    assert view.deps == source.deps == read
