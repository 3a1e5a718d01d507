"""Folds the lines of a log into its runs.

A new run begins where a source was printed, where the step counter starts again, or where settings follow scores or steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pgolf_check.model import Location
from pgolf_check.submission import log_lines as grammar
from pgolf_check.submission.log_source import RULER
from pgolf_check.submission.model import Calibration, FinalLine, Gates, Phase, Run, Untimed

LINE = 4000
"""Of a longer line the rest is not looked at."""

NOT_SETTINGS = frozenset({"model_params", "val_bpb", "val_loss", "train_loss", "val_loader", "train_loader", "warmup_step", "step"})


class _Builder:
    """One run under construction."""

    def __init__(self, path: str, first: int) -> None:
        self.path = path
        self.first = first
        self.last = first
        self.facts: dict[str, Any] = {}
        self.config: dict[str, str] = {}
        self.finals: list[FinalLine] = []
        self.calibrations: list[Calibration] = []
        self.untimed: list[Untimed] = []
        self.phases: list[Phase] = []
        self.gates: list[Gates] = []
        self.raw_model: int | None = None
        self.raw_total: tuple[int, Location] | None = None
        self.last_step = -1

    @property
    def started(self) -> bool:
        return self.last_step >= 0 or bool(self.finals)

    def least(self, name: str, value: int) -> bool:
        """Keep the smallest value of a fact; whether it is this one."""
        known = self.facts.get(name)
        if known is None or value < known:
            self.facts[name] = value
            return True
        return False

    def build(self) -> Run:
        facts = dict(self.facts)
        if (
            "total_bytes" not in facts
            and self.raw_total is not None
            and (self.raw_model is None or self.raw_total[0] < self.raw_model)
        ):
            facts["total_bytes"], facts["total_location"] = self.raw_total
        if "seed" not in facts and self.config.get("seed", "").isdigit():
            facts["seed"] = int(self.config["seed"][:12])
        facts.setdefault("dataset", self.config.get("datasets_dir", self.config.get("data_path", "")))
        facts.setdefault("tokenizer_path", self.config.get("tokenizer_path", ""))
        return Run(
            self.first,
            self.last,
            config=dict(self.config),
            finals=tuple(self.finals),
            complete=any(not f.diagnostic for f in self.finals),
            calibrations=tuple(self.calibrations),
            untimed=tuple(self.untimed),
            phases=tuple(self.phases),
            gates=tuple(self.gates),
            **facts,
        )


class RunReader:
    """Reads the lines of one log in order."""

    def __init__(self, path: str, cuts: Sequence[int]) -> None:
        self.path = path
        self.cuts = sorted(cuts)
        self.done: list[_Builder] = []
        self.run = _Builder(path, 1)
        self.in_dump = False

    def read(self, lines: Sequence[tuple[int, str]]) -> tuple[Run, ...]:
        for number, raw in lines:
            if self.cuts and number > self.cuts[0]:
                self.cuts.pop(0)
                if self.run.started:
                    self._begin(number)
            text, column = grammar.without_prefix(raw[:LINE])
            if text:
                self._line(grammar.Line(text, Location(self.path, number, column)))
                self.run.last = number
            else:
                self.in_dump = False
        return tuple(run.build() for run in (*self.done, self.run) if run.started)

    def _begin(self, number: int) -> None:
        self.done.append(self.run)
        self.run = _Builder(self.path, number)

    def _line(self, line: grammar.Line) -> None:
        if grammar.DUMP_HEADER.match(line.text):
            if self.run.started:
                self._begin(line.place.line)
            self.in_dump = True
            return
        self.in_dump = self.in_dump and not self.run.started and not RULER.match(line.text)
        entry = grammar.DUMP_LINE.match(line.text) if self.in_dump else None
        if entry:
            self.run.config.setdefault(entry[1].lower(), entry[2].strip())
        if not self._step(line):
            self._settings(line)
            self._results(line)

    def _step(self, line: grammar.Line) -> bool:
        stop = grammar.STOP.match(line)
        if stop or (grammar.STOP_OTHER.search(line) and not line.code and len(line.text) < 300):
            self._stop(stop, line.place)
            return True
        found = grammar.step(line)
        if found is None:
            return False
        if found.number < self.run.last_step and found.number <= 10 < self.run.last_step:
            self._begin(line.place.line)
        self.run.last_step = max(self.run.last_step, found.number)
        if self.run.facts.get("stop") is None:
            self.run.facts["steps"] = found.number
            if found.seconds is not None:
                self.run.facts["train_seconds"] = found.seconds
        return True

    def _stop(self, stop: Any, place: Location) -> None:
        facts = self.run.facts
        if facts.get("stop") is None or (stop and stop[1]):
            facts["stop"] = place
        if stop and stop[1]:
            facts["train_seconds"] = grammar.seconds(stop[1], "ms")
        if stop and stop[2]:
            facts["steps"] = int(stop[2][:12])

    def _settings(self, line: grammar.Line) -> None:
        seed = grammar.SEED.match(line)
        if (seed or grammar.DATASET.match(line)) and self.run.started:
            self._begin(line.place.line)
        facts = self.run.facts
        if seed:
            facts.setdefault("seed", int(seed[1][:12]))
        if not self.run.started and grammar.FRAGMENTS.match(line.text) and not line.code:
            for part in line.text.split():
                name, _, value = part.partition(":")
                if name.lower() not in NOT_SETTINGS:
                    self.run.config.setdefault(name.lower(), value)
        for clue, name, convert in _SETTINGS:
            match = clue.search(line)
            if match and not line.code:
                facts.setdefault(name, convert(next(g for g in match.groups() if g)))

    def _results(self, line: grammar.Line) -> None:
        run = self.run
        self._sizes(line)
        total = grammar.TOTAL_EVAL.search(line)
        if total:
            run.facts["total_eval_seconds"] = grammar.seconds(total[1], "s")
        reserve = grammar.RESERVE.match(line)
        if reserve:
            run.facts["reserved_seconds"] = grammar.seconds(reserve[1], reserve[2])
        if (calibrated := grammar.calibration(line)) is not None:
            run.calibrations.append(calibrated)
        elif (left_out := grammar.untimed(line)) is not None:
            run.untimed.append(left_out)
        elif (phase := grammar.phase(line)) is not None:
            run.phases.append(phase)
        if (counted := grammar.gates(line)) is not None:
            run.gates.append(counted)
        run.finals.extend(grammar.finals(line))

    def _sizes(self, line: grammar.Line) -> None:
        run = self.run
        model, code, total = (p.match(line) for p in (grammar.MODEL_BYTES, grammar.CODE_BYTES, grammar.TOTAL_BYTES))
        if model:
            if model[1]:
                run.least("model_bytes", grammar.count(model[2]))
            else:
                run.raw_model = grammar.count(model[2])
        elif code:
            run.least("code_bytes", grammar.count(code[2]))
        elif total and total[1]:
            if run.least("total_bytes", grammar.count(total[2])):
                run.facts["total_location"] = line.place
        elif total:
            run.raw_total = (grammar.count(total[2]), line.place)


def _decimal(text: str) -> float | None:
    return grammar.seconds(text, "s")


_SETTINGS: tuple[tuple[Any, str, Any], ...] = (
    (grammar.WORLD_SIZE, "world_size", lambda text: int(text[:9])),
    (grammar.CAP, "wallclock_cap", _decimal),
    (grammar.TRAIN_SHARDS, "train_shards", lambda text: int(text[:9])),
    (grammar.DATASET, "dataset", str),
    (grammar.VAL_TOKENS, "val_tokens", grammar.count),
    (grammar.TOKENIZER, "tokenizer_path", str),
)
