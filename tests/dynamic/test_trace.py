"""The trace: targets are found by their neighbours, steps by what they write, and a stated loss by the losses that it is the mean of."""

from __future__ import annotations

import base64
import importlib.util
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from uncontained import run

from pgolf_check.dynamic.harness import restated, trial, workspace
from pgolf_check.dynamic.harness.configuration import Probe, first_configuration
from pgolf_check.dynamic.harness.crossing import cross
from pgolf_check.dynamic.harness.flipping import flip
from pgolf_check.dynamic.shard import Layout
from pgolf_check.dynamic.trace.breaches import FEWEST, breaches, confirmed
from pgolf_check.dynamic.trace.claims import Agreement, Statement, counted
from pgolf_check.dynamic.trace.read import Lookup, Printed, Total, Update, read_trace
from pgolf_check.rules.order import classify_traced

LAYOUT = Layout(tokens=1025, vocab=256)
SCRIPT = (Path(__file__).parent / "scripts" / "ways.py").read_bytes()
LEGAL = ("score_first", "first_epoch", "sliding_score_first", "first_epoch_in_a_buffer")
ILLEGAL = {
    "train_first": "C301", "a_copy_is_scored": "C301", "by_hand": "C301", "a_loss_of_its_own": "C301", "last_epoch": "C302",
    "a_bias_for_each_window": "C103", "scored_again": "C402",
    "best_epoch": "C401", "best_of_two_legal_passes": "C401", "a_file_is_scored": "C301", "last_epoch_of_the_new_part": "C302",
    "last_epoch_in_a_buffer": "C302", "through_a_file": "C303", "a_copy_learns": "C303",
}  # fmt: skip


@pytest.fixture(autouse=True)
def known_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same tokens each time: of others a loss now and then comes near that of a lookup before, and nothing is told."""
    seeds = itertools.count(201)
    for module in (workspace, restated):
        monkeypatch.setattr(module, "fresh_seed", lambda: next(seeds))


def traced(layout: Layout = LAYOUT, **variables: str) -> trial.Trial:
    first = first_configuration(Probe.TRAINING, layout)
    first = replace(first, variables={**first.variables, **variables})
    return trial.try_script("ways.py", {"ways.py": SCRIPT}, Probe.TRAINING, run, first)


@pytest.mark.parametrize("way", LEGAL)
def test_a_legal_way_shows_no_breach(way: str) -> None:
    ran = traced(WAY=way)
    assert ran.stated and not ran.breaches


@pytest.mark.parametrize("way", ILLEGAL)
def test_a_way_that_learns_first_is_told_with_its_rule_and_places(way: str) -> None:
    (breach,) = traced(WAY=way).breaches
    assert classify_traced(breach) == ILLEGAL[way]
    lines = SCRIPT.decode().splitlines()
    assert "cross_entropy" in lines[breach.score.location.line - 1] or "gather" in lines[breach.score.location.line - 1]
    assert breach.positions >= (64 if breach.discarded else 1024 - 64 - 1)
    if breach.update is None:
        assert way == "best_of_two_legal_passes"
        return
    assert "step()" in lines[breach.update.location.line - 1] or "add_(" in lines[breach.update.location.line - 1]
    assert breach.update.overlaps(breach.score)


def test_what_was_trained_on_nothing_else_before_is_trained_on_validation_tokens() -> None:
    (breach,) = traced(WAY="train_first", PRETRAINED="0").breaches
    assert classify_traced(breach) == "D101"


@pytest.mark.parametrize(
    ("way", "leaks"),
    [
        ("only_scored", False),
        ("rows_by_documents", False),
        ("sliding_score_first", False),
        ("first_epoch", False),
        ("looks_ahead", True),
        ("measures_the_split", True),
    ],
)
def test_other_tokens_at_the_end_change_losses_before_them_only_where_these_look_ahead(way: str, leaks: bool) -> None:
    ran = traced(WAY=way)
    assert ran.made is not None and not ran.breaches
    flipped = flip("ways.py", {"ways.py": SCRIPT}, ran.made, run)
    assert flipped is not None and bool(flipped.changed) is leaks
    assert 0.5 * LAYOUT.tokens < flipped.compared < 0.65 * LAYOUT.tokens
    assert leaks is False or len(flipped.changed) == 1 or way == "measures_the_split"


@pytest.mark.parametrize(
    ("way", "crossed"), [("documents_apart", False), ("documents_together", None), ("documents_apart_but_for_a_gate", True)]
)
def test_what_reaches_over_the_beginning_of_a_document_is_told_where_attention_stops_there(way: str, crossed: bool | None) -> None:
    ran = traced(Layout(tokens=1025, vocab=256, symbols=32, document_tokens=40), WAY=way)
    assert ran.made is not None
    found = cross("ways.py", {"ways.py": SCRIPT}, ran.made, run)
    assert (None if found is None else found.documents > 0) is crossed
    assert not found or found.compared >= 4


@pytest.mark.parametrize(("apart", "told"), [(0.0, False), (0.1, True)])
def test_a_change_is_told_only_if_it_shows_in_every_way_that_may_be_meant(apart: float, told: bool) -> None:
    """A run that scores the stream twice, and looks ahead when it states the second mean; the first is near it, or not."""

    def twice(_: object, folder: Path, __: object) -> trial.Ended:
        (shard,) = folder.rglob("fineweb_val_*.bin")
        tokens = np.fromfile(shard, dtype="<u2", offset=1024).astype(np.float64)
        causal = 5.0 + 1e-3 * tokens[:-1]
        ahead = causal + sum(1e-4 * np.roll(tokens[1:], -by) for by in range(1, 9))
        ahead += causal.mean() - ahead.mean()
        text = f"final_int8_zlib_roundtrip_exact val_loss:{ahead.mean():.6f} val_bpb:1.900000"
        lines = [scored(1, causal + apart), scored(2, ahead), {"kind": "print", "order": 3, "stack": [], "text": text}]
        return trial.Ended(0, text, "", "\n".join(map(json.dumps, lines)).encode())

    def scored(order: int, nats: np.ndarray) -> dict[str, Any]:
        place = [["a.py", order]]
        data = base64.b64encode(nats.astype("<f4").tobytes()).decode()
        positions = [[1, 1 + len(nats)]]
        return {
            "kind": "score",
            "order": order,
            "stack": place,
            "lookup": place,
            "part": False,
            "positions": positions,
            "nats": data,
            "seen": [],
        }

    ran = trial.try_script("a.py", {"a.py": b""}, Probe.TRAINING, twice, first_configuration(Probe.TRAINING, LAYOUT))
    assert ran.made is not None
    flipped = flip("a.py", {"a.py": b""}, ran.made, twice)
    assert flipped is not None and bool(flipped.changed) is told


def test_losses_that_differ_between_equal_runs_are_no_change() -> None:
    """A run whose losses are noise: the flip differs, and so do equal runs."""
    ran = traced(WAY="only_scored", NOISE="1")
    assert ran.made is not None
    flipped = flip("ways.py", {"ways.py": SCRIPT}, ran.made, run)
    assert flipped is not None and flipped.changed == ()


@pytest.fixture(scope="module")
def positions() -> Any:
    path = trial.LAUNCHER.parent / "tracing" / "positions.py"
    spec = importlib.util.spec_from_file_location("positions", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), vocab=st.sampled_from((16, 300, 5000)), data=st.data())
def test_positions_are_those_of_the_stream_or_unknown(positions: Any, seed: int, vocab: int, data: st.DataObject) -> None:
    tokens = np.random.default_rng(seed).integers(0, vocab, 600)
    stream = positions.Stream(tokens)
    cuts = data.draw(st.lists(st.tuples(st.integers(0, 560), st.integers(1, 40)), min_size=1, max_size=6))
    expected = np.concatenate([np.arange(start, start + length) for start, length in cuts])
    found = stream.locate(tokens[expected])
    known = found >= 0
    assert (tokens[found[known]] == tokens[expected][known]).all()
    for (_, length), part, truth in zip(
        cuts, *(np.split(x, np.cumsum([n for _, n in cuts])[:-1]) for x in (found, expected)), strict=True
    ):
        if length >= stream.length:
            assert (part == truth).mean() > 0.8


def test_ignored_targets_and_those_of_other_shards_are_unknown(positions: Any) -> None:
    tokens = np.random.default_rng(1).integers(0, 1000, 2000)
    stream = positions.Stream(tokens)
    targets = tokens[100:160].copy()
    targets[30] = -100
    found = stream.locate(targets)
    assert found[30] == -1 and (np.delete(found, 30) == np.delete(np.arange(100, 160), 30)).all()
    assert (stream.locate(np.random.default_rng(2).integers(0, 1000, 500)) == -1).all()


@given(st.binary(max_size=400))
def test_a_trace_that_is_none_tells_nothing(text: bytes) -> None:
    assert isinstance(read_trace(text, 100), tuple)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-5, 1 << 70) | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    (
                        "kind",
                        "value",
                        "count",
                        "parts",
                        "order",
                        "stack",
                        "positions",
                        "nats",
                        "seen",
                        "lookup",
                        "part",
                        "text",
                        "parameters",
                        "fresh",
                        "training",
                    )
                ),
                inner,
            )
        ),
        max_leaves=12,
    ),
    st.sampled_from(("score", "update", "print", "total")),
)
def test_records_of_odd_shapes_are_left_out(value: Any, kind: str) -> None:
    given_record = {
        "order": 1,
        "stack": [],
        "positions": [[0, 1]],
        "seen": [],
        **(value if isinstance(value, dict) else {}),
        "kind": kind,
    }
    for record in read_trace(json.dumps(given_record).encode(), 100):
        held = [positions for _, positions in record.parts] if isinstance(record, Total) else [getattr(record, "positions", [])]
        assert all(0 <= position < 100 for positions in held for position in positions)


def lookup(order: int, positions: range, nats: np.ndarray, *, line: int = 1, seen: bool = False) -> Lookup:
    return Lookup(order, (("a.py", line),), (), np.arange(positions.start, positions.stop), nats, np.full(len(positions), seen))


CHOICES: dict[str, Callable[[list[float]], list[float]]] = {
    "first": lambda nats: nats[:1],
    "last": lambda nats: nats[-1:],
    "lowest": lambda nats: [min(nats)],
    "all": list,
}


def means(lookups: list[Lookup]) -> dict[str, float]:
    """The mean of each way to choose one of a position's losses, or all of them."""
    kept: dict[int, list[float]] = {}
    for each in lookups:
        for position, value in zip(each.positions.tolist(), each.nats.tolist(), strict=True):
            kept.setdefault(position, []).append(value)
    return {way: float(np.mean([value for nats in kept.values() for value in choose(nats)])) for way, choose in CHOICES.items()}


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32), stride=st.integers(10, 50), way=st.sampled_from(tuple(CHOICES)))
def test_a_mean_is_recognised_in_whichever_way_it_was_taken(seed: int, stride: int, way: str) -> None:
    draws = np.random.default_rng(seed)
    before = lookup(1, range(200), draws.uniform(5, 9, 200), line=7)
    scores = [
        lookup(order, range(start, start + 50), draws.uniform(5, 9, 50)) for order, start in enumerate(range(0, 150, stride), 3)
    ]
    mean = means(scores)[way]
    printed = Printed(99, (), f"final val_loss:{mean:.8f}")
    records: list[Any] = [before, Printed(2, (), "step:1 loss 3"), *scores, printed]
    of_any_way = {*means([before]).values(), *means(scores).values(), *means([before, *scores]).values()}
    assume(all(each == mean or abs(each - mean) > 1e-4 for each in of_any_way))
    assume(all(abs(each - mean - 1e-3) > 4e-4 for each in of_any_way))
    scored = {position for each in scores for position in each.positions.tolist()}
    found = [each for each in counted(records, Statement(printed.text, mean, 5e-9), 200) if each.agrees is not Agreement.NEAR]
    assert found and all((each.lookups >= 0).sum() == len(scored) for each in found)
    assert not list(counted(records, Statement(printed.text, mean + 1e-3, 5e-9), 200))


@pytest.mark.parametrize(("lower", "digits", "count"), [(0.1, 4, 1), (1e-4, 6, 0), (1e-4, 8, 1)])
def test_a_loss_is_that_of_what_had_not_been_seen_if_it_may_be_that_but_for_a_few_positions(
    lower: float, digits: int, count: int
) -> None:
    nats = np.random.default_rng(5).uniform(3, 5, 200)
    step = Update(2, (("a.py", 8),), np.arange(200), 3, False, False)
    before, after = lookup(1, range(200), nats), lookup(3, range(200), nats - lower, line=9, seen=True)
    mean = float(after.nats.mean())
    printed = Printed(4, (), f"final val_loss:{mean:.{digits}f}")
    statement = Statement(printed.text, round(mean, digits), 0.5 * 10**-digits)
    told = tuple(breaches([before, step, after, printed], (statement,), 200, "a.py"))
    assert len(told) == count
    assert confirmed(told, told) == told and confirmed(told, ()) == ()


def test_nothing_is_told_of_a_loss_that_is_no_mean_of_what_was_seen() -> None:
    def as_lines(loss: float) -> bytes:
        nats = np.full(200, 4.0, dtype="<f4")
        common = {"stack": [["a.py", 1]], "lookup": [["a.py", 1]], "part": False, "positions": [[0, 200]]}
        score = {**common, "nats": base64.b64encode(nats.tobytes()).decode()}
        records = [
            {"kind": "score", "order": 1, **score, "seen": []},
            {"kind": "update", "order": 2, **common, "parameters": 3, "fresh": False, "training": False},
            {"kind": "score", "order": 3, **score, "seen": [[0, FEWEST]], "lookup": [["a.py", 9]]},
            {"kind": "print", "order": 4, "stack": [], "text": f"final val_loss:{loss:.8f}"},
        ]
        return "\n".join(map(json.dumps, records)).encode()

    def told(loss: float) -> int:
        records = read_trace(as_lines(loss), 200)
        return len(tuple(breaches(records, (Statement(f"final val_loss:{loss:.8f}", loss, 5e-9),), 200, "a.py")))

    assert told(3.9) == 0
    assert told(4.0) == 0, "the loss may as well be that of the lookup before the step"
