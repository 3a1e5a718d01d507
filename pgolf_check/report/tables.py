"""The tables of `pgolf-check size` and `pgolf-check stats`: what the rules measure, without a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pgolf_check.report.escape import printable
from pgolf_check.report.times import time_rows
from pgolf_check.rules.edition import Record
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.local_code import local_files
from pgolf_check.rules.runs import LoggedRun, counted_runs
from pgolf_check.rules.scores import Scores, exact_line, moment, run_scores
from pgolf_check.stats.claims import Claim, headline, readme_claims, seed_claims, size_claims
from pgolf_check.stats.significance import Test, fixed_sigma, margin_bpb, standing, welch
from pgolf_check.stats.size import packed_size

Row = Sequence[str]
UNKNOWN = "-"


def size_table(facts: Facts) -> str:
    """The four totals of S101 with what each says under both profiles."""
    submission, cap = facts.submission, facts.edition.artifact_bytes
    runs = counted_runs(submission)
    script = submission.scripts.get(submission.entry)
    model = max((r.run.model_bytes for r in runs if r.run.model_bytes is not None), default=None)
    totals: list[tuple[str, int | None, bool]] = [
        ("as logged", max((r.run.total_bytes for r in runs if r.run.total_bytes is not None), default=None), True)
    ]
    if script is not None:
        beside = sum(f.file.size for f in local_files(submission))
        packed = min(script.size, packed_size(script.text)) if script.text is not None else script.size
        sizes = (
            ("model + script", script.size, False),
            ("+ files it brings in", script.size + beside, False),
            ("packed", packed, True),
        )
        totals += [(name, model + size if model is not None else None, counts) for name, size, counts in sizes]
    rows = [("total", "bytes", f"left of {cap:,}", "precedent", "strict")]
    for name, total, by_precedent in totals:
        if total is None:
            rows.append((name, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN))
            continue
        fits = "fits" if total <= cap else "over"
        strict = UNKNOWN if name == "packed" else fits
        rows.append((name, f"{total:,}", f"{cap - total:,}", fits if by_precedent else f"{fits} (not asked)", strict))
    return _aligned(rows)


def stats_table(facts: Facts, rival: Record | None = None) -> str:
    """Runs, their times, significance against the standing record or a rival, and how each claim stands to the logs."""
    parts = (_runs(facts), _times(facts), _significance(facts, rival), _claims(facts))
    return "\n".join(part for part in parts if part)


def _runs(facts: Facts) -> str:
    runs = counted_runs(facts.submission)
    if not runs:
        return "no log shows a finished run\n"
    head = ("log", "seed", "steps", "training s", "calibration s", "untimed s", "evaluation s", "val_bpb", "bytes")
    return _aligned([head, *(_run(logged) for logged in runs)])


def _run(logged: LoggedRun) -> Row:
    run = logged.run
    calibration = [c.seconds for c in run.calibrations if c.seconds is not None]
    untimed = [u.seconds for u in run.untimed if u.seconds is not None]
    evaluations = [f.eval_seconds for f in logged.scores if f.eval_seconds is not None]
    if run.total_eval_seconds is not None:
        evaluations.append(run.total_eval_seconds)
    claimed = [f for f in logged.scores if f.location in logged.claims] or list(logged.scores[-1:])
    return (
        printable(logged.log.path),
        UNKNOWN if run.seed is None else str(run.seed),
        UNKNOWN if run.steps is None else str(run.steps),
        _seconds([run.train_seconds] if run.train_seconds is not None else []),
        _seconds([sum(calibration)] if calibration else []),
        _seconds([sum(untimed)] if untimed else []),
        _seconds([max(evaluations)] if evaluations else []),
        f"{exact_line(logged, claimed[-1]).val_bpb:.8f}" if claimed else UNKNOWN,
        UNKNOWN if run.total_bytes is None else f"{run.total_bytes:,}",
    )


def _times(facts: Facts) -> str:
    head, *rows = time_rows(facts.edition, counted_runs(facts.submission))
    return _aligned([head, *(tuple(map(printable, row)) for row in rows)]) if rows else ""


def _seconds(values: Iterable[float]) -> str:
    return next((f"{value:,.1f}" for value in values), UNKNOWN)


def _significance(facts: Facts, rival: Record | None) -> str:
    scores = run_scores(facts.submission)
    if scores is None:
        return ""
    folder, when = moment(facts)
    against = rival or standing(facts.edition.leaderboard, when, folder=folder)
    mean = f"mean of {len(scores.values)} run(s) {scores.mean:.8f} bits per byte"
    if against is None:
        return f"{mean}; no record stood before {when.date()}\n"
    gain = against.mean_bpb - scores.mean
    told = f"{mean}; against {printable(against.folder)} {against.mean_bpb:.8f}: gain {gain:+.8f}\n"
    rows = [("test", "margin", "p", "asked", "power", "passed"), ("mean only", "0", UNKNOWN, UNKNOWN, UNKNOWN, _yes(gain > 0))]
    for regime in facts.edition.regimes:
        margin = margin_bpb(regime.margin_nats, scores.tokens_per_byte) if scores.tokens_per_byte else None
        name = f"from {regime.since}"
        if margin is None and regime.margin_nats:
            rows.append((name, f"{regime.margin_nats:g} nats", UNKNOWN, f"p < {regime.p:g}", UNKNOWN, UNKNOWN))
            continue
        for kind, test in _tests(facts, scores, against, margin or 0.0, regime.p):
            passed = _yes(test.passed)
            rows.append(
                (f"{name}, {kind}", f"{test.margin:.6f}", f"{test.p:.4f}", f"p < {regime.p:g}", f"{test.power:.0%}", passed)
            )
    return f"{told}{_aligned(rows)}"


def _tests(facts: Facts, scores: Scores, rival: Record, margin: float, level: float) -> Iterator[tuple[str, Test]]:
    old = rival.seeds_bpb or (rival.mean_bpb,)
    if min(len(scores.values), len(old)) > 1:
        yield "Welch", welch(scores.values, old, margin=margin, level=level)
        yield "Welch, ddof 0", welch(scores.values, old, margin=margin, level=level, ddof=0)
    deviation = facts.edition.run_deviation
    yield f"sigma {deviation:g}", fixed_sigma(scores.values, old, deviation, margin=margin, level=level)


def _yes(passed: bool) -> str:
    return "yes" if passed else "no"


def _claims(facts: Facts) -> str:
    submission = facts.submission
    readme = next((f.path for f in submission.files if f.path.lower().rpartition("/")[2].startswith("readme")), "README.md")
    main = headline(submission)
    claims = [*([main] if main else []), *seed_claims(submission), *size_claims(submission), *readme_claims(submission, readme)]
    return _aligned([("claim", "value", "stands", "at"), *(_claim(claim) for claim in claims)]) if claims else ""


def _claim(claim: Claim) -> Row:
    value = f"{claim.value:,}" if isinstance(claim.value, int) else f"{claim.value:.8g}"
    stands = claim.standing.value if claim.nearest is None else f"{claim.standing.value}; nearest {claim.nearest:.8g}"
    at = ", ".join(f"{place.path}:{place.line}" for place in claim.lines[:3])
    return (printable(claim.name), value, stands, printable(at) or UNKNOWN)


def _aligned(rows: Sequence[Row]) -> str:
    """The rows with their columns aligned, the first column to the left, numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"
