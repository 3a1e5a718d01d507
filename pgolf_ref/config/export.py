"""How the weights become an artifact.

Values that differ between roles are given as rules, ROLE=VALUE or BLOCKS.ROLE=VALUE, such as mlp=5 or 0,9.key=16; the last rule that
fits a parameter holds.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pgolf_ref.config.checks import broken, choices, ranges

CODECS = ("brotli", "zstd", "lzma", "zlib", "smallest")
PACKINGS = ("bytes", "bits", "ordered", "smallest")
SCALES = ("largest", "search", "deviation", "hessian")
ROUNDINGS = ("nearest", "gptq", "cdquant", "qronos")
CORRECTIONS = ("asymmetric", "symmetric")
FITS = ("none", "ones", "clips")
CALIBRATIONS = ("training", "generated", "random", "gibbs")
FAMILIES = {
    "attention": ("query", "key", "value", "out"),
    "mlp": ("up", "down"),
    "matrix": ("query", "key", "value", "out", "up", "down", "projection"),
}
"""Names for several roles of the registry at once."""
ROLES = ("embedding", "table", "head", "query", "key", "value", "out", "up", "down", "projection", "gate")
WIDTHS = (*range(2, 9), 16, 32)  # integers of so many bits, float16, float32
_RULE = re.compile(r"(?:(\d+(?:,\d+)*)\.)?(\w+)=([\w.]+)")


@dataclass(frozen=True, slots=True)
class Rule:
    """A value, as text, for some roles, in some blocks or (none named) everywhere."""

    roles: tuple[str, ...]
    layers: tuple[int, ...]
    value: str

    def fits(self, role: str, layer: int | None) -> bool:
        return role in self.roles and (not self.layers or layer in self.layers)


@dataclass(frozen=True, slots=True)
class ExportConfig:
    """The defaults are the official baseline, but for the codec."""

    matrix_bits: int = 8
    embedding_bits: int = 8  # of every table and of an untied head
    bits: tuple[str, ...] = ()  # rules: 2 to 8, 16 or 32
    float8: bool = False  # 8-bit floats (e4m3) instead of integers
    scales: tuple[str, ...] = ()  # rules: what the largest code of a row stands for, one of SCALES; largest where none fits
    clips: tuple[str, ...] = ()  # rules: standard deviations of a row that its largest code stands for; 12.85 where none fits
    hessian_share: float = 0.175  # of the Hessian in scales "hessian"
    rounding: tuple[str, ...] = ()  # rules: one of ROUNDINGS; nearest where none fits, and where a parameter multiplies nothing
    awq: tuple[str, ...] = ()  # rules: columns are scaled by this power of the mean magnitude of their inputs
    prune: tuple[str, ...] = ()  # rules: the share of a matrix that becomes zero, its smallest weights
    row_clamp: float = 0.0  # weights are first clamped to so many standard deviations of their row; 0 = not
    gptq_block: int = 128
    gptq_damping: float = 0.002
    gptq_act_order: bool = True
    qronos_passes: int = 3  # in which inputs are collected anew behind matrices as they are rounded by then
    lqer_rank: int = 0  # of corrections; 0 = none
    lqer_top: int = 3  # matrices that get one, those with the largest error
    lqer_form: str = "asymmetric"
    lqer_group: int = 64
    calibration: str = "training"  # where the inputs come from that Hessians are made of
    calibration_rows: int = 64  # rows of data.seq_len tokens
    reserve_seconds: float = 0.0  # of run.budget_seconds, left for calibration
    codec: str = "brotli"
    packing: str = "bytes"  # of codes
    cap_bytes: int = 16_000_000  # code + artifact
    fit: str = "none"  # what is changed until code and artifact are within the cap

    @property
    def calibrates(self) -> bool:
        """Whether the export looks at inputs of matrices."""
        needing = {"gptq", "cdquant", "qronos", "hessian"}
        return bool(self.awq) or any(rule.value in needing for texts in (self.rounding, self.scales) for rule in rules(texts))


def rules(texts: Sequence[str]) -> tuple[Rule, ...]:
    """Of a valid section."""
    return tuple(rule for text in texts if (rule := _rule(text)) is not None)


def ruled(texts: Sequence[str], role: str, layer: int | None, default: str) -> str:
    """The value of the last rule that fits."""
    fitting = [rule.value for rule in rules(texts) if rule.fits(role, layer)]
    return fitting[-1] if fitting else default


def problems(export: ExportConfig) -> list[str]:
    """Every rule that the section breaks."""
    named = {"lqer_form": CORRECTIONS, "calibration": CALIBRATIONS, "codec": CODECS, "packing": PACKINGS, "fit": FITS}
    not_negative = ("hessian_share", "row_clamp", "gptq_damping", "lqer_rank", "lqer_top", "reserve_seconds")
    wanted = {
        "positive": ("cap_bytes", "qronos_passes", "gptq_block", "lqer_group", "calibration_rows"),
        "0 or more": not_negative,
        "from 2 to 8": ("matrix_bits", "embedding_bits"),
    }
    tables = [rule for rule in rules((*export.rounding, *export.awq)) if rule.roles == ("table",) and rule.value != "nearest"]
    return [
        *ranges("export", export, wanted),
        *choices("export", export, named),
        *_unreadable("bits", "mlp=5 or 0,9.key=16", "bits from 2 to 8, 16 or 32", export.bits, _is_width),
        *_unreadable("scales", "matrix=deviation", ", ".join(SCALES), export.scales, SCALES.__contains__),
        *_unreadable("clips", "matrix=12.85", "a positive number", export.clips, _is_positive),
        *_unreadable("awq", "mlp=0.5", "a positive number", export.awq, _is_positive),
        *_unreadable("prune", "matrix=0.03", "a number between 0 and 1", export.prune, _is_share),
        *_unreadable("rounding", "matrix=gptq", ", ".join(ROUNDINGS), export.rounding, ROUNDINGS.__contains__),
        *broken([("export.rounding and export.awq: a table is only looked up and has no inputs", not tables)]),
    ]


def _unreadable(name: str, example: str, values: str, texts: Sequence[str], allowed: Callable[[str], bool]) -> list[str]:
    """The rules of one field that cannot be read."""
    return [
        f"export.{name}: {text!r} must read ROLE=VALUE or BLOCKS.ROLE=VALUE, such as {example}, with a role of "
        f"{', '.join((*FAMILIES, *ROLES))} and a value of {values}"
        for text in texts
        if (rule := _rule(text)) is None or not allowed(rule.value)
    ]


def _is_width(text: str) -> bool:
    return text.isdecimal() and int(text) in WIDTHS


def _is_positive(text: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?", text) is not None and float(text) > 0


def _is_share(text: str) -> bool:
    return _is_positive(text) and float(text) < 1


def _rule(text: str) -> Rule | None:
    """None where the text is no rule."""
    match = _RULE.fullmatch(text.replace(" ", ""))
    if match is None or match[2] not in (*FAMILIES, *ROLES):
        return None
    layers = tuple(int(layer) for layer in match[1].split(",")) if match[1] else ()
    return Rule(FAMILIES.get(match[2], (match[2],)), layers, match[3])
