"""One probe of one script: runs until a loss is stated, at most three, and what the loss says of the stream.

The parent trusts nothing that the run printed beyond this: a loss can convict, never acquit, and no loss is "could not run".
"""

from __future__ import annotations

import math
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import zip_longest
from pathlib import Path, PurePosixPath

from pgolf_check.dynamic.canary import FLOAT32_EXCESS, Evidence, combined
from pgolf_check.dynamic.harness.configuration import BYTES_SPLIT, MOST_SCORINGS, Configuration, Probe, first_configuration
from pgolf_check.dynamic.harness.remedies import ATTEMPTS, next_attempt
from pgolf_check.dynamic.harness.tokenizer import PIECE_BYTES
from pgolf_check.dynamic.harness.workspace import fresh_shards, lay_out
from pgolf_check.dynamic.judge import LOSS
from pgolf_check.dynamic.shard import Tokens
from pgolf_check.dynamic.trace.breaches import Traced, breaches, confirmed
from pgolf_check.dynamic.trace.claims import Statement
from pgolf_check.dynamic.trace.read import Record, read_trace
from pgolf_check.model import Location
from pgolf_check.submission.logs import read_log
from pgolf_check.submission.model import FinalLine

TRACE = PurePosixPath(".trace/events.jsonl")
"""Where the stand-ins write what they see, in the folder of the run."""
LAUNCHER = Path(__file__).parent / "shims" / "launch.py"
INTERPRETER = {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
LEAST_SCORED = 0.5
"""The share of the random positions that a script is taken to score, once or more."""
FEWEST_DIGITS = 4
TERSE = re.compile(r"\bvl[:=](\d+\.(\d+))\s+(?:val_)?bpb[:=](\d+\.\d+)")
PASSING = re.compile(r"^(?:s|step)[:=]?\d+/|diag", re.IGNORECASE)
"""Lines of the training, and diagnostics."""
SURPRISED = 1.0
"""Nats above the entropy of a model that has not learnt which symbols there are."""
UNLEARNT = "the model has not learnt which symbols there are"
AGREE = 0.5
"""A loss below this share of that which its own bits per byte come to is one in another unit."""
MOST_BYTES = 1.5 * PIECE_BYTES
"""Bytes that a scoring is taken for, so that a script which estimates the bytes per token is not convicted for that."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that ended: its exit status, what it wrote to standard output and standard error, and the trace of it."""

    status: int
    output: str
    errors: str
    trace: bytes = b""


@dataclass(frozen=True)
class Made:
    """A run: its configuration, the tokens of its shards, and its end."""

    configuration: Configuration
    shards: Mapping[str, Tokens]
    ended: Ended

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """What its trace tells."""
        return read_trace(self.ended.trace, self.configuration.layout.tokens)

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """The losses that it states."""
        return statements(self.ended.output)


Runner = Callable[[Sequence[str], Path, Mapping[str, str]], Ended]
"""Runs a command in a folder with an environment, contained: (command, folder, variables). It sets PATH, HOME and TMPDIR itself."""


@dataclass(frozen=True, slots=True)
class Stated:
    """A loss that a run stated, and its evidence against the stream."""

    line: int
    loss: float
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Trial:
    """A probe that ended: with losses, or with the reason of each attempt."""

    probe: Probe
    ran: Configuration | None
    stated: tuple[Stated, ...]
    reasons: tuple[str, ...]
    cut_short: str = ""
    """Why a run that stated losses stopped before its end; later losses are then unknown."""
    breaches: tuple[Traced, ...] = ()
    """Where the trace shows that a stated loss is of tokens which had been learnt from before."""
    made: Made | None = field(default=None, repr=False)
    """What was run, and what came of it, to run it again."""

    @property
    def evidence(self) -> Evidence | None:
        """The mean of the e-values, None if the script could not be run."""
        return combined(stated.evidence for stated in self.stated) if self.stated else None


def try_script(script: str, files: Mapping[str, bytes], probe: Probe, run: Runner, first: Configuration | None = None) -> Trial:
    """Run `script`, one of the `files` (content by name), until it states a loss: as `first` says, then by what it said itself.

    A run that stopped after it stated a loss counts: the loss is what it is. The next is made all the same, as the
    losses to come may tell more. So is one on other tokens where a model has not learnt the symbols of a stream for tables.
    Raises ValueError if the script is not among the files.
    """
    if script not in files:
        raise ValueError(f"{script}: not among the files of the run")
    tried: list[Configuration] = []
    reasons: list[str] = []
    found: Trial | None = None
    configuration: Configuration | None = first or first_configuration(probe)
    while configuration is not None:
        tried.append(configuration)
        made = run_once(script, files, configuration, run, fresh_shards(configuration.layout, configuration.splits))
        ended = made.ended
        stated = losses(ended.output, configuration)
        if stated:
            cut_short = _reason(ended) if ended.status else ""
            found = Trial(probe, configuration, stated, tuple(reasons), cut_short, _breaches(script, files, made, run), made)
            if _learnt_nothing(found) and len(tried) < ATTEMPTS:
                reasons.append(f"{configuration.name}: {UNLEARNT}")
                continue
        if found is not None and not (stated and found.cut_short and not _convicts(found)):
            return found
        reasons.append(f"{configuration.name}: {_reason(ended)}")
        configuration = next_attempt(tried, _reason(ended))
    return found or Trial(probe, None, (), tuple(reasons))


def _learnt_nothing(trial: Trial) -> bool:
    """Whether the few symbols of a stream for tables came as a surprise to the end, so that no table shows beside the model."""
    assert trial.ran is not None
    entropy = math.log(trial.ran.layout.alphabet)
    return trial.probe is Probe.TABLES and all(stated.loss > entropy + SURPRISED for stated in trial.stated)


def _convicts(trial: Trial) -> bool:
    return trial.evidence is not None and trial.evidence.convicts()


def _breaches(script: str, files: Mapping[str, bytes], made: Made, run: Runner) -> tuple[Traced, ...]:
    """What the trace of a run shows, if that of one on other tokens shows it, too."""

    def shown(by: Made) -> tuple[Traced, ...]:
        return tuple(breaches(by.records, by.statements, by.configuration.layout.tokens, script))

    found = shown(made)
    at = made.configuration
    return confirmed(found, shown(run_once(script, files, at, run, fresh_shards(at.layout, at.splits)))) if found else ()


def run_once(
    script: str, files: Mapping[str, bytes], configuration: Configuration, run: Runner, shards: Mapping[str, Tokens]
) -> Made:
    """Run a script on these tokens."""
    with tempfile.TemporaryDirectory(prefix="pgolf-") as name:
        folder = Path(name)
        lay_out(folder, files, configuration.layout, shards)
        command = [sys.executable, "-s", str(LAUNCHER), script]
        return Made(configuration, shards, run(command, folder, {**INTERPRETER, **configuration.variables}))


def losses(output: str, configuration: Configuration) -> tuple[Stated, ...]:
    """The losses that the final lines of an output state, with their evidence.

    With W scorings of random positions, W >= T = LEAST_SCORED x positions, none scored more than w = MOST_SCORINGS times, at a mean
    loss L, exp(T (ln K - L) / w) is an e-value: M^(1/w) is one, and its (T/W)th power by Jensen. The units of the last printed digit
    and the excess of float32 are taken off L. Where only bits per byte are stated, all symbols are words of the tokenizer, and no shard
    says otherwise, a scoring counts for MOST_BYTES bytes. All tokens of the stream are taken to be random.
    """
    layout = configuration.layout
    words = bool(layout.modulus) and BYTES_SPLIT not in configuration.splits
    scored = LEAST_SCORED * layout.random
    found = []
    for final in _finals(output):
        stated = _mean_loss(final, words)
        if stated is not None:
            loss, half_a_digit = stated
            most = loss + half_a_digit + FLOAT32_EXCESS
            found.append(Stated(final.location.line, loss, Evidence(scored / MOST_SCORINGS * (math.log(layout.alphabet) - most))))
    return tuple(found)


def statements(output: str) -> tuple[Statement, ...]:
    """The final lines that state a loss in enough digits to tell what it is the mean of, each loss where it has most of them."""
    found = [(final.text.strip(), match) for final in _finals(output) if (match := _loss_in(final))]
    stated = [Statement(text, float(m[1]), 0.5 * 10.0 ** -len(m[2])) for text, m in found if len(m[2]) >= FEWEST_DIGITS]
    following = zip_longest(stated, stated[1:])
    return tuple(each for each, after in following if after is None or not after.says_more_than(each))


def _finals(output: str) -> list[FinalLine]:
    """The lines that state a score of the finished model; if there are none in the common grammar, those in a terse one."""
    log = read_log("run.log", output.encode("utf-8", "replace"))
    finals = [final for run in (log.runs if log is not None else ()) for final in run.finals if not final.diagnostic]
    return finals or [
        FinalLine(Location("run.log", number), line, "", float(match[1]), float(match[3]), digits=len(match[3].partition(".")[2]))
        for number, line in enumerate(output.splitlines(), 1)
        if (match := TERSE.search(line)) and not PASSING.search(line)
    ]


def _loss_in(final: FinalLine) -> re.Match[str] | None:
    """A mean loss, and the digits behind its point, as groups."""
    return LOSS.search(final.text) or TERSE.search(final.text)


def _mean_loss(final: FinalLine, words: bool) -> tuple[float, float] | None:
    """The mean loss of a line in nats, and half a unit of its last digit; None if it tells neither, or in too few digits.

    A loss in another unit than nats per token, of a byte say, is taken for what its own bits per byte say, and more.
    `words`: whether all symbols are words of the tokenizer, with its bytes.
    """
    match = _loss_in(final)
    per_word = PIECE_BYTES * math.log(2.0)
    if match is not None:
        loss, other = float(match[1]), per_word * final.val_bpb
        loss = other / AGREE if loss < AGREE * other else loss
        return (loss, 0.5 * 10.0 ** -len(match[2])) if len(match[2]) >= FEWEST_DIGITS else None
    if not words or final.digits < FEWEST_DIGITS:
        return None
    nats = MOST_BYTES / PIECE_BYTES * per_word
    return final.val_bpb * nats, 0.5 * 10.0**-final.digits * nats


def _reason(ended: Ended) -> str:
    """Why a run stated no loss: the last line of its errors."""
    last = next((line.strip() for line in reversed(ended.errors.splitlines()) if line.strip()), "")
    return (last[:200] or f"stopped with status {ended.status}") if ended.status else "ended without a loss"
