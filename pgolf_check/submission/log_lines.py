"""The grammar of log lines, line by line: what each one states, without what came before it.

Family A writes `key:value`, family B `key: value` and an indented dump of its settings. A rank or a time stamp may stand in front.
A line that looks like code or like progress states nothing final.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pgolf_check.model import Location
from pgolf_check.submission.model import Calibration, FinalLine, Gates, Phase, Untimed

PREFIX = re.compile(
    r"(?:\[(?:rank|default)\d+\]:\s?|\d{1,2}: |"
    r"\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?Z?\]?(?: ?[|:-] ?| )?|\[\d\d:\d\d:\d\d\] ?|\[?INFO\]?:? (?:- )?)+"
)
NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|nan|inf)"
STEP_A = re.compile(r"s(?:tep)?:(\d+)/(\d+)\b(?:.*?\b(?:train_time|tt):([\d.]+)(ms|s))?")
STEP_B = re.compile(r"(\d+)/(\d+) (?:val|train)_loss: ?\S+(?:.*?train_time: ([\d.]+)(m)\b)?")
STEP_OTHER = re.compile(r"\W{0,6}step[ :=]+(\d+)(?:/(\d+))?\b(?!.*\d/\d+ docs)", re.IGNORECASE)
STOP = re.compile(r"stopping_early:\s*wallclock_cap\b(?: train_time:\s*(\d+)ms)?(?: step:\s*(\d+)/(\d+))?")
STOP_OTHER = re.compile(r"stopping early\b|wallclock limit|wallclock cap reached|stopping_early", re.IGNORECASE)
SEED = re.compile(r"\s*seed\s*[:=]\s*(\d+)\s*$", re.IGNORECASE)
WORLD_SIZE = re.compile(r"\bworld[_ ]size\s*[:=]\s*(\d+)", re.IGNORECASE)
CAP = re.compile(r"max_wallclock_seconds\s*[:=]\s*([\d.]+)")
TRAIN_SHARDS = re.compile(r"\btrain_shards:\s*(\d+)")
DATASET = re.compile(r"train_loader:dataset:(\S+)")
VAL_TOKENS = re.compile(r"val_loader:shards\b.*? tokens:([\d,]+)|\bval(?:idation)?[_ ]tokens:\s*([\d,]+)\s*$", re.IGNORECASE)
TOKENIZER = re.compile(r"tokenizer_path=(\S+)")
MODEL_BYTES = re.compile(r"Serialized model(?: ([^:]+))?: ([\d,]+) bytes")
CODE_BYTES = re.compile(r"(?:Submission )?Code size(?: \((un)?compressed\))?: ([\d,]+) bytes", re.IGNORECASE)
TOTAL_BYTES = re.compile(r"Total (?:\w+ )?submission(?: size)?(?: ([^:]+))?: ([\d,]+) bytes")
TOTAL_EVAL = re.compile(r"total_eval_time:\s*([\d.]+)s")
DUMP_HEADER = re.compile(r"Hyperparameters:\s*$")
DUMP_LINE = re.compile(r"\s{1,8}([A-Za-z_]\w*): ?(.*)$")
FRAGMENTS = re.compile(r"(?!phase:)[A-Za-z_]\w*:\S+(?: [A-Za-z_]\w*:\S+)*\s*$")
CALIBRATION = re.compile(
    r"\w*gptq\w*: ?(?![\d\s]).*(?:training data|validation data|autoregressive|self-gen|calib|hessian|sequences)", re.IGNORECASE
)
UNTIMED = re.compile(
    r"outside[_ -](?:the[_ ])?(?:\w+[_ ])?timer|excluded from (?:the )?eval|not (?:timed|charged to)|\buntimed\b", re.IGNORECASE
)
TAKEN = re.compile(r"(?:(?:elapsed|time|in|took|seconds)[=: ]\s*|\()([\d.]+) ?(ms|s)\b", re.IGNORECASE)
PHASES = tuple(
    (kind, re.compile(words, re.IGNORECASE))
    for kind, words in (
        ("hint precomputation", r"precompute|\bhints?\b"),
        ("decompression", r"deseriali[sz]|decompress"),
        ("compression", r"\bseriali[sz]e|compress"),
        ("compile", r"\bcompil|warm-?up"),
        ("quantisation", r"quanti[sz]|\bgptq\b"),
    )
)
"""What a timed line is about, by the first words that fit."""
GATES = re.compile(r"(?=.*\b(?:within|word)_gate=\d).*\btotal=\d")
COUNTER = re.compile(r"\b(\w+)=(\d+)\b")
RESERVE = re.compile(r"gptq:reserving ([\d.]+)(ms|s)\b", re.IGNORECASE)

CODE = re.compile(r"[{}]|^\s*(?:[\"'#\-|>*]|(?:def|class|if|elif|else|for|while|return|log0|log|print|import|from|with|assert)\b)")
PROGRESS = re.compile(
    r"\d\s*/\s*\d+|\[\s*\d+(?:\.\d+)?%|running_|progress|\bETA\b|\bbatch_|~\d|\bstep[: ]\s*\d|\bepoch\s*[=:]?\s*\d", re.IGNORECASE
)
FIGURE = re.compile(rf"(?<![A-Za-z0-9_])((?:\w+_)?bpb(?:_\w+)?)\s*(?:\([^()]*\)\s*)?[:=]?\s*{NUMBER}(?![\w.])", re.IGNORECASE)
LOSS = re.compile(rf"\b(?:val_loss|vl|loss|diffusion_pll_loss)\s*[:=]\s*{NUMBER}", re.IGNORECASE)
EXACT = re.compile(rf"\bexact:{NUMBER}")
TIMES = tuple(
    re.compile(rf"(?<![A-Za-z]){name}[:=]\s*([\d.]+)\s*(ms|s)\b")
    for name in (r"(?:\w+_)?eval_time", "elapsed", "ttt_time", "time", "t")
)
NOT_A_SCORE = re.compile(
    r"delta|gain|improve|gap|running|batch|best_so|published|reference|threshold|target|ceiling|kill|variance|before", re.IGNORECASE
)
DIAGNOSTIC = re.compile(
    r"diag|pre[-_ ]?quant|post[-_](?:ema|swa|average|prequant|dttt|ttt)|raw[-_ ]|(?:non-)?ema\b|"
    r"(?:ema|swa)_eval|swa:|best[-_](?:averaging|model)|using |jepa_",
    re.IGNORECASE,
)
"""Beginnings of labels whose score is not that of the submitted artifact."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step line: number, planned total, training seconds so far."""

    number: int
    total: int | None
    seconds: float | None


def without_prefix(line: str) -> tuple[str, int]:
    """(the line after rank and time stamp and after the last carriage return, its column)."""
    start = line.rstrip("\r").rfind("\r") + 1
    match = PREFIX.match(line, start)
    end = match.end() if match else start
    return line[end:].rstrip(), end + 1


def seconds(value: str, unit: str) -> float | None:
    """A printed time in seconds."""
    try:
        return float(value) * 60 if unit == "m" else float(value) / {"ms": 1000, "s": 1}[unit]
    except ValueError:
        return None


def step(line: str) -> Step | None:
    """The step that a line reports."""
    match = STEP_A.match(line) or STEP_B.match(line)
    if match:
        number, total, value, unit = match.groups()
        return Step(int(number[:12]), int(total[:12]), seconds(value, unit) if value else None)
    other = STEP_OTHER.match(line)
    return Step(int(other[1][:12]), int(other[2][:12]) if other[2] else None, None) if other else None


def count(digits: str) -> int:
    """A printed number of bytes or tokens."""
    return int(digits.replace(",", "")[:15] or 0)


def finals(line: str, place: Location) -> list[FinalLine]:
    """The scores that a line states of a finished model; none for progress, steps and code."""
    if "bpb" not in line.lower() or len(line) > 1000 or CODE.search(line) or PROGRESS.search(line):
        return []
    figures = [m for m in FIGURE.finditer(line) if not NOT_A_SCORE.search(m[1]) and "." in m[2]]
    if not figures:
        return []
    chosen = [m for m in figures if m[1].lower() == "val_bpb"] or figures
    label = _label(line)
    if NOT_A_SCORE.match(label):
        return []
    return [
        _final(line, place, label if len(chosen) == 1 else f"{label} {m[1]}".strip(), m)
        for m in chosen[: 1 if chosen is not figures else 6]
    ]


def _label(line: str) -> str:
    """What the line calls the score: the text in front of the first figure."""
    head = re.split(
        r"\b(?:val_loss|vl|val_bpb|loss)\s*[:=]|\b\w*bpb\b\s*(?:\([^()]*\)\s*)?[:=]?\s*\d|\s\w+[:=]-?\d",
        f" {line}",
        maxsplit=1,
        flags=re.IGNORECASE,
    )[0]
    return " ".join(head.split()).rstrip(":=") or "val_bpb"


def _final(line: str, place: Location, label: str, figure: re.Match[str]) -> FinalLine:
    exact = EXACT.search(line)
    printed = exact[1] if exact else figure[2]
    loss = LOSS.search(line)
    taken = next((m for pattern in TIMES if (m := pattern.search(line))), None)
    return FinalLine(
        place,
        line,
        label,
        float(loss[1]) if loss and loss[1] not in ("nan", "inf") else None,
        float(printed),
        eval_seconds=seconds(*taken.groups()) if taken else None,
        diagnostic=DIAGNOSTIC.match(label) is not None,
        digits=len(printed.partition(".")[2].partition("e")[0]),
    )


def calibration(line: str, place: Location) -> Calibration | None:
    """What a line says about quantisation calibration."""
    if not CALIBRATION.match(line) or CODE.search(line):
        return None
    kinds = (
        ("validation", "validation data"),
        ("training", "training data"),
        ("self-generated", "autoregressive|self-gen|generat"),
    )
    data = next((kind for kind, words in kinds if re.search(words, line, re.IGNORECASE)), "")
    taken = re.search(r"\bin ([\d.]+)(ms|s)\b", line)
    return Calibration(place, line, data, seconds(*taken.groups()) if taken else None)


def untimed(line: str, place: Location) -> Untimed | None:
    """What a line says about work outside the timers."""
    if len(line) > 400 or not UNTIMED.search(line) or CODE.search(line):
        return None
    taken = TAKEN.search(line)
    return Untimed(place, line, seconds(*taken.groups()) if taken else None)


def phase(line: str, place: Location) -> Phase | None:
    """What a line says about work beside training and scoring, if it tells how long that took."""
    if len(line) > 400 or "bpb" in line.lower() or CODE.search(line):
        return None
    taken = TAKEN.search(line)
    kind = next((kind for kind, words in PHASES if words.search(line)), "") if taken else ""
    took = seconds(*taken.groups()) if taken else None
    return Phase(place, line, kind, took) if kind and took is not None else None


def gates(line: str, place: Location) -> Gates | None:
    """The counters of a hint line."""
    if len(line) > 400 or not GATES.match(line):
        return None
    return Gates(place, line, {name: int(digits[:15]) for name, digits in COUNTER.findall(line)})
