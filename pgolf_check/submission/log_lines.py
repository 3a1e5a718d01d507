"""The grammar of log lines, line by line: what each one states, without what came before it.

Family A writes `key:value`, family B `key: value` and an indented dump of its settings. A rank or a time stamp may stand in front.
A line that looks like code or like progress states nothing final.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pgolf_check.model import Location
from pgolf_check.submission.model import Calibration, FinalLine, Gates, Phase, Untimed


@dataclass(slots=True)
class Line:
    """A line without its prefix, where it stands, and its text in small letters."""

    text: str
    place: Location
    low: str = field(init=False)
    _code: bool | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.low = self.text.lower()

    @property
    def code(self) -> bool:
        """Whether it looks like code."""
        if self._code is None:
            self._code = CODE.search(self.text) is not None
        return self._code


class Clue:
    """A pattern that fits no line without one of some words in small letters: these are looked for first, since most lines hold none."""

    __slots__ = ("pattern", "words")

    def __init__(self, pattern: str, *words: str, flags: int = 0) -> None:
        self.pattern = re.compile(pattern, flags)
        self.words = words

    def search(self, line: Line) -> re.Match[str] | None:
        return self.pattern.search(line.text) if self._may_fit(line.low) else None

    def match(self, line: Line) -> re.Match[str] | None:
        return self.pattern.match(line.text) if self._may_fit(line.low) else None

    def _may_fit(self, low: str) -> bool:
        for word in self.words:  # noqa: SIM110
            if word in low:
                return True
        return False


PREFIX = re.compile(
    r"(?:\[(?:rank|default)\d+\]:\s?|\d{1,2}: |"
    r"\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?Z?\]?(?: ?[|:-] ?| )?|\[\d\d:\d\d:\d\d\] ?|\[?INFO\]?:? (?:- )?)+"
)
NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|nan|inf)"
STEP_A = re.compile(r"s(?:tep)?:(\d+)/(\d+)\b(?:.*?\b(?:train_time|tt):([\d.]+)(ms|s))?")
STEP_B = re.compile(r"(\d+)/(\d+) (?:val|train)_loss: ?\S+(?:.*?train_time: ([\d.]+)(m)\b)?")
STEP_OTHER = Clue(r"\W{0,6}step[ :=]+(\d+)(?:/(\d+))?\b(?!.*\d/\d+ docs)", "step", flags=re.IGNORECASE)
STOP = Clue(r"stopping_early:\s*wallclock_cap\b(?: train_time:\s*(\d+)ms)?(?: step:\s*(\d+)/(\d+))?", "stopping_early")
STOP_OTHER = Clue(
    r"stopping early\b|wallclock limit|wallclock cap reached|stopping_early", "stopping", "wallclock", flags=re.IGNORECASE
)
SEED = Clue(r"\s*seed\s*[:=]\s*(\d+)\s*$", "seed", flags=re.IGNORECASE)
WORLD_SIZE = Clue(r"\bworld[_ ]size\s*[:=]\s*(\d+)", "world", flags=re.IGNORECASE)
CAP = Clue(r"max_wallclock_seconds\s*[:=]\s*([\d.]+)", "max_wallclock_seconds")
TRAIN_SHARDS = Clue(r"\btrain_shards:\s*(\d+)", "train_shards")
DATASET = Clue(r"train_loader:dataset:(\S+)", "train_loader:dataset")
VAL_TOKENS = Clue(
    r"val_loader:shards\b.*? tokens:([\d,]+)|\bval(?:idation)?[_ ]tokens:\s*([\d,]+)\s*$",
    "val_loader:shards",
    "tokens:",
    flags=re.IGNORECASE,
)
TOKENIZER = Clue(r"tokenizer_path=(\S+)", "tokenizer_path=")
MODEL_BYTES = Clue(r"Serialized model(?: ([^:]+))?: ([\d,]+) bytes", "serialized model")
CODE_BYTES = Clue(r"(?:Submission )?Code size(?: \((un)?compressed\))?: ([\d,]+) bytes", "code size", flags=re.IGNORECASE)
TOTAL_BYTES = Clue(r"Total (?:\w+ )?submission(?: size)?(?: ([^:]+))?: ([\d,]+) bytes", "submission")
TOTAL_EVAL = Clue(r"total_eval_time:\s*([\d.]+)s", "total_eval_time")
DUMP_HEADER = re.compile(r"Hyperparameters:\s*$")
DUMP_LINE = re.compile(r"\s{1,8}([A-Za-z_]\w*): ?(.*)$")
FRAGMENTS = re.compile(r"(?!phase:)[A-Za-z_]\w*:\S+(?: [A-Za-z_]\w*:\S+)*\s*$")
CALIBRATION = Clue(
    r"\w*gptq\w*: ?(?![\d\s]).*(?:training data|validation data|autoregressive|self-gen|calib|hessian|sequences)",
    "gptq",
    flags=re.IGNORECASE,
)
UNTIMED = Clue(
    r"outside[_ -](?:the[_ ])?(?:\w+[_ ])?timer|excluded from (?:the )?eval|not (?:timed|charged to)|\buntimed\b",
    "timer",
    "excluded",
    "not timed",
    "not charged",
    "untimed",
    flags=re.IGNORECASE,
)
TAKEN = re.compile(r"(?:(?:elapsed|time|in|took|seconds)[=: ]\s*|\()([\d.]+) ?(ms|s)\b", re.IGNORECASE)
PHASES = (
    ("hint precomputation", Clue(r"precompute|\bhints?\b", "precompute", "hint", flags=re.IGNORECASE)),
    ("decompression", Clue(r"deseriali[sz]|decompress", "deseriali", "decompress", flags=re.IGNORECASE)),
    ("compression", Clue(r"\bseriali[sz]e|compress", "seriali", "compress", flags=re.IGNORECASE)),
    ("compile", Clue(r"\bcompil|warm-?up", "compil", "warm", flags=re.IGNORECASE)),
    ("quantisation", Clue(r"quanti[sz]|\bgptq\b", "quanti", "gptq", flags=re.IGNORECASE)),
)
"""What a timed line is about, by the first words that fit."""
GATES = Clue(r"(?=.*\b(?:within|word)_gate=\d).*\btotal=\d", "_gate=")
COUNTER = re.compile(r"\b(\w+)=(\d+)\b")
RESERVE = Clue(r"gptq:reserving ([\d.]+)(ms|s)\b", "gptq:reserving", flags=re.IGNORECASE)

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


def step(line: Line) -> Step | None:
    """The step that a line reports."""
    match = STEP_A.match(line.text) or STEP_B.match(line.text)
    if match:
        number, total, value, unit = match.groups()
        return Step(int(number[:12]), int(total[:12]), seconds(value, unit) if value else None)
    other = STEP_OTHER.match(line)
    return Step(int(other[1][:12]), int(other[2][:12]) if other[2] else None, None) if other else None


def count(digits: str) -> int:
    """A printed number of bytes or tokens."""
    return int(digits.replace(",", "")[:15] or 0)


def finals(line: Line) -> list[FinalLine]:
    """The scores that a line states of a finished model; none for progress, steps and code."""
    text = line.text
    if "bpb" not in line.low or len(text) > 1000 or line.code or PROGRESS.search(text):
        return []
    figures = [m for m in FIGURE.finditer(text) if not NOT_A_SCORE.search(m[1]) and "." in m[2]]
    if not figures:
        return []
    chosen = [m for m in figures if m[1].lower() == "val_bpb"] or figures
    label = _label(text)
    if NOT_A_SCORE.match(label):
        return []
    return [
        _final(text, line.place, label if len(chosen) == 1 else f"{label} {m[1]}".strip(), m)
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


def calibration(line: Line) -> Calibration | None:
    """What a line says about quantisation calibration."""
    if not CALIBRATION.match(line) or line.code:
        return None
    kinds = (
        ("validation", "validation data"),
        ("training", "training data"),
        ("self-generated", "autoregressive|self-gen|generat"),
    )
    data = next((kind for kind, words in kinds if re.search(words, line.low)), "")
    taken = re.search(r"\bin ([\d.]+)(ms|s)\b", line.text)
    return Calibration(line.place, line.text, data, seconds(*taken.groups()) if taken else None)


def untimed(line: Line) -> Untimed | None:
    """What a line says about work outside the timers."""
    if len(line.text) > 400 or not UNTIMED.search(line) or line.code:
        return None
    taken = TAKEN.search(line.text)
    return Untimed(line.place, line.text, seconds(*taken.groups()) if taken else None)


def phase(line: Line) -> Phase | None:
    """What a line says about work beside training and scoring, if it tells how long that took."""
    if len(line.text) > 400 or "bpb" in line.low:
        return None
    kind = next((kind for kind, words in PHASES if words.search(line)), "")
    taken = TAKEN.search(line.text) if kind and not line.code else None
    took = seconds(*taken.groups()) if taken else None
    return Phase(line.place, line.text, kind, took) if took is not None else None


def gates(line: Line) -> Gates | None:
    """The counters of a hint line."""
    if len(line.text) > 400 or not GATES.match(line):
        return None
    return Gates(line.place, line.text, {name: int(digits[:15]) for name, digits in COUNTER.findall(line.text)})
