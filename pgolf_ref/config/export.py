"""How the weights become an artifact. Values that differ between roles are given as rules (`rules.py`)."""

from dataclasses import dataclass

from pgolf_ref.config.checks import broken, choices, ranges
from pgolf_ref.config.rules import is_number, rules, unreadable

CODECS = ("brotli", "zstd", "lzma", "zlib", "smallest")
PACKINGS = ("bytes", "bits", "ordered", "smallest")
SCALES = ("largest", "search", "deviation", "hessian")
ROUNDINGS = ("nearest", "gptq", "cdquant", "qronos")
CORRECTIONS = ("asymmetric", "symmetric")
FITS = ("none", "ones", "clips", "bits")
CALIBRATIONS = ("training", "generated", "random", "gibbs")
WIDTHS = (*range(2, 9), 16, 32)  # integers of so many bits, float16, float32


@dataclass(frozen=True, slots=True)
class ExportConfig:
    """The defaults are the official baseline, but for the codec."""

    matrix_bits: int = 8
    embedding_bits: int = 8  # of every table and of an untied head
    bits: tuple[str, ...] = ()  # rules: 2 to 8, 16 or 32
    guided_more: float = 0.0  # share of the weights of blocks, those with the largest mean squared gradients, that get a bit more
    guided_fewer: float = 0.0  # and of those with the smallest, that get a bit fewer
    float8: bool = False  # 8-bit floats (e4m3) instead of integers
    scales: tuple[str, ...] = ()  # rules: what the largest code of a row stands for, one of SCALES; largest where none fits
    clips: tuple[str, ...] = ()  # rules: standard deviations of a row that its largest code stands for; 12.85 where none fits
    hessian_share: float = 0.175  # of the Hessian in scales "hessian"
    scale_floor: float = 0.0  # the largest code of a row stands for this at least (1 up to PR 1019, which wastes codes); 0 = none
    rounding: tuple[str, ...] = ()  # rules: one of ROUNDINGS; nearest where none fits, and where a parameter multiplies nothing
    awq: tuple[str, ...] = ()  # rules: columns are scaled by this power of the mean magnitude of their inputs
    prune: tuple[str, ...] = ()  # rules: the share of a matrix that becomes zero, its smallest weights
    row_clamp: float = 0.0  # weights are first clamped to so many standard deviations of their row; 0 = not
    gptq_block: int = 128
    gptq_damping: float = 0.002
    gptq_act_order: bool = True
    qronos_passes: int = 0  # stretches of products whose inputs are collected behind those before, rounded; 0 = one for each
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
    def guided(self) -> bool:
        """Whether gradients decide the bits of some matrices."""
        return self.guided_more > 0 or self.guided_fewer > 0 or self.fit == "bits"

    @property
    def codecs(self) -> tuple[str, ...]:
        """The codecs of which the smallest output is kept."""
        return CODECS[:-1] if self.codec == "smallest" else (self.codec,)

    @property
    def packings(self) -> tuple[str, ...]:
        """The packings of codes of which the smallest is kept."""
        return PACKINGS[:-1] if self.packing == "smallest" else (self.packing,)

    @property
    def halves(self) -> bool:
        """Whether some matrices are kept in float16."""
        return any(rule.value == "16" for rule in rules(self.bits))

    @property
    def scale_kinds(self) -> tuple[str, ...]:
        """The kinds of scales that some role may have."""
        return ("largest", *sorted({rule.value for rule in rules(self.scales)}))

    @property
    def roundings(self) -> tuple[str, ...]:
        """The ways in which the codes of some role may be rounded."""
        return ("nearest", *sorted({rule.value for rule in rules(self.rounding)}))

    @property
    def calibrates(self) -> bool:
        """Whether the export looks at inputs of matrices."""
        needing = {"gptq", "cdquant", "qronos", "hessian"}
        return bool(self.awq) or any(rule.value in needing for texts in (self.rounding, self.scales) for rule in rules(texts))


def problems(export: ExportConfig) -> list[str]:
    """Every rule that the section breaks."""
    named = {"lqer_form": CORRECTIONS, "calibration": CALIBRATIONS, "codec": CODECS, "packing": PACKINGS, "fit": FITS}
    counts = ("qronos_passes", "lqer_rank", "lqer_top")
    not_negative = (*counts, "hessian_share", "scale_floor", "row_clamp", "gptq_damping", "reserve_seconds")
    wanted = {
        "positive": ("cap_bytes", "gptq_block", "lqer_group", "calibration_rows"),
        "0 or more": not_negative,
        "from 2 to 8": ("matrix_bits", "embedding_bits"),
        "in [0, 1]": ("guided_more", "guided_fewer"),
    }
    tables = [rule for rule in rules((*export.rounding, *export.awq)) if rule.roles == ("table",) and rule.value != "nearest"]
    return [
        *ranges("export", export, wanted),
        *choices("export", export, named),
        *unreadable("export.bits", export.bits, "mlp=5 or 0,9.key=16", "bits from 2 to 8, 16 or 32", _is_width),
        *unreadable("export.scales", export.scales, "matrix=deviation", ", ".join(SCALES), SCALES.__contains__),
        *unreadable("export.clips", export.clips, "matrix=12.85", "a positive number", _is_positive),
        *unreadable("export.awq", export.awq, "mlp=0.5", "a positive number", _is_positive),
        *unreadable("export.prune", export.prune, "matrix=0.03", "a number between 0 and 1", _is_share),
        *unreadable("export.rounding", export.rounding, "matrix=gptq", ", ".join(ROUNDINGS), ROUNDINGS.__contains__),
        *broken(
            [
                ("export.rounding and export.awq: a table is only looked up and has no inputs", not tables),
                (
                    "export.guided_more and export.guided_fewer must be at most 1 together",
                    export.guided_more + export.guided_fewer <= 1,
                ),
            ]
        ),
    ]


def _is_width(text: str) -> bool:
    return text.isdecimal() and int(text) in WIDTHS


def _is_positive(text: str) -> bool:
    return is_number(text) and float(text) > 0


def _is_share(text: str) -> bool:
    return _is_positive(text) and float(text) < 1
