"""Which final lines state the claim, and which REPORT printed it."""

from __future__ import annotations

import pytest
from submissions import final, log, run, submission

from pgolf_check.model import Event, EventKind, Location, Mixture, Region
from pgolf_check.static.claim import claimed_lines, find_claim, matches
from pgolf_check.submission.model import Metadata, Submission

HERE = Location("train_gpt.py", 1)
REGION = (Region("validation"),)


def claiming(value: float | None, *scores: tuple[str, float], **seeds: float) -> Submission:
    """A submission with this headline and one log for each run that printed a label and a score."""
    metadata = Metadata("submission.json", {}, val_bpb=value, seed_bpb={int(k[1:]): v for k, v in seeds.items()})
    lines = [
        final(f"{i}.log", label=label, val_bpb=bpb, text=f"{label} val_bpb:{bpb:.8f}") for i, (label, bpb) in enumerate(scores)
    ]
    return submission(
        metadata=metadata, logs=tuple(log(line.location.path, run(line.location.path, finals=(line,))) for line in lines)
    )


def report(order: int, text: str, *, leaks: bool = False) -> Event:
    update = Event(EventKind.UPDATE, 1, HERE, regions=REGION)
    score = Event(EventKind.SCORE, 2, HERE, regions=REGION, seen=(update,) if leaks else ())
    return Event(EventKind.REPORT, order, HERE, scores=(score,), text=text)


@pytest.mark.parametrize(
    ("judged", "expected"),
    [
        (claiming(1.1, ("a", 1.1), ("b", 1.2)), {1.1}),
        (claiming(1.08, ("a", 1.07979813), ("a", 1.08020001)), {1.07979813, 1.08020001}),
        (claiming(1.15, ("a", 1.1), ("a", 1.2), ("b", 1.3)), {1.1, 1.2}),
        (claiming(1.1467, ("a", 1.1461), ("b", 1.2), s7=1.1461, s8=1.1473), {1.1461}),
        (claiming(1.5, ("a", 1.1461), s7=1.1461, s8=1.1473), set()),
        (claiming(None, ("a", 1.2), ("b", 1.1)), {1.1}),
        (claiming(1.0, ("a", 1.2), ("b", 1.1)), set()),
    ],
)
def test_claimed_lines(judged: Submission, expected: set[float]) -> None:
    assert {line.val_bpb for line in claimed_lines(judged)} == expected


def test_the_claim_is_the_report_that_printed_it() -> None:
    reports = [report(3, "final_a val_bpb:{}"), report(4, "final_b val_bpb:{}")]
    claim, sure = find_claim(reports, claiming(1.2, ("final_a", 1.2), ("final_b", 1.1)))
    assert (claim, sure) == (reports[0], True)


@pytest.mark.parametrize(("first", "second", "sure"), [(True, True, True), (True, False, False), (False, False, False)])
def test_a_claim_that_no_line_states_is_sure_only_if_every_report_leaks(first: bool, second: bool, sure: bool) -> None:
    reports = [report(3, "final_a val_bpb:{}", leaks=first), report(4, "final_b val_bpb:{}", leaks=second)]
    found = find_claim(reports, claiming(1.0, ("final_a", 1.2), ("final_b", 1.1)))
    assert found == (reports[1], sure)


@pytest.mark.parametrize(("worse", "sure"), [(1.3, True), (1.11, False)])
def test_a_claim_better_than_every_line_rests_on_those_near_the_best(worse: float, sure: bool) -> None:
    reports = [report(3, "final_a val_bpb:{}"), report(4, "final_b val_bpb:{}", leaks=True)]
    assert find_claim(reports, claiming(0.4, ("final_a", worse), ("final_b", 1.1))) == (reports[1], sure)


@pytest.mark.parametrize(("kind", "sure"), [("key", True), ("native", False), ("gate", False)])
def test_a_claim_that_no_line_states_is_sure_if_the_target_decides_every_report(kind: str, sure: bool) -> None:
    mixed = Event(EventKind.REPORT, 1, HERE, mixtures=(Mixture(kind, HERE),), text="a val_bpb:{}")
    assert find_claim([mixed], claiming(1.5, ("a", 1.2))) == (mixed, sure)
    assert find_claim([mixed], claiming(1.5, ("a", 1.2)), (kind,)) == (mixed, True)


def test_a_report_that_printed_worse_scores_than_the_claim_is_not_the_claim() -> None:
    reports = [report(3, "final_a val_bpb:{}"), report(4, "final_b val_bpb:{}", leaks=True)]
    assert find_claim(reports, claiming(1.15, ("final_a", 1.2), ("final_b", 1.1))) == (reports[1], True)


def test_without_logs_the_last_report_is_the_claim() -> None:
    reports = [report(3, "a {}"), report(4, "b {}")]
    assert find_claim(reports, submission(logs=())) == (reports[1], True)
    assert find_claim([], submission(logs=())) == (None, False)


@pytest.mark.parametrize(
    ("template", "line", "fits"),
    [
        ("final_{} val_bpb:{}", "final_int8 val_bpb:1.1", True),
        ("{}", "final val_bpb:1.1", False),
        ("ttt val_bpb:{}", "final val_bpb:1", False),
    ],
)
def test_a_template_fits_a_line(template: str, line: str, fits: bool) -> None:
    assert matches(template, line) is fits


def test_a_claimed_line_that_no_report_printed_came_from_one_that_printed_no_other() -> None:
    reports = [report(3, "final_a val_bpb:{}"), report(4, "renamed val_bpb:{}", leaks=True)]
    judged = claiming(1.1, ("final_a", 1.2), ("final_b", 1.1))
    assert find_claim(reports, judged) == (reports[1], True)
    assert find_claim([*reports, report(5, "other val_bpb:{}")], judged)[1] is False
