"""How the weights become an artifact."""

import re
from dataclasses import dataclass

from pgolf_ref.config.checks import choices, ranges

CODECS = ("brotli", "zstd", "lzma")
FAMILIES = {
    "attention": ("query", "key", "value", "out"),
    "mlp": ("up", "down"),
    "matrix": ("query", "key", "value", "out", "up", "down", "projection"),
}
"""Names for several roles of the registry at once."""
ROLES = ("embedding", "table", "head", "query", "key", "value", "out", "up", "down", "projection", "gate")
WIDTHS = (*range(2, 9), 16, 32)  # integers of so many bits, float16, float32
_RULE = re.compile(r"(?:(\d+(?:,\d+)*)\.)?(\w+)=(\d+)")


@dataclass(frozen=True, slots=True)
class BitRule:
    """The bits of some roles, in some blocks or (none named) everywhere."""

    roles: tuple[str, ...]
    layers: tuple[int, ...]
    bits: int


@dataclass(frozen=True, slots=True)
class ExportConfig:
    """The defaults are the official baseline, but for the codec."""

    matrix_bits: int = 8
    embedding_bits: int = 8  # of every table and of an untied head
    bits: tuple[str, ...] = ()  # rules such as "mlp=5", "gate=8" or "0,9.key=16"; the last that fits a parameter holds
    float8: bool = False  # 8-bit floats (e4m3) instead of integers
    codec: str = "brotli"
    cap_bytes: int = 16_000_000  # code + artifact


def bit_rules(export: ExportConfig) -> tuple[BitRule, ...]:
    """`bits`, read; of a valid section."""
    return tuple(rule for text in export.bits if (rule := _rule(text)) is not None)


def problems(export: ExportConfig) -> list[str]:
    """Every rule that the section breaks."""
    bits = ("matrix_bits", "embedding_bits")
    return [
        *ranges("export", export, {"positive": ("cap_bytes",), "from 2 to 8": bits}),
        *choices("export", export, {"codec": CODECS}),
        *(
            f"export.bits: {text!r} must read ROLE=BITS or BLOCKS.ROLE=BITS, such as mlp=5 or 0,9.key=16, with a role of "
            f"{', '.join((*FAMILIES, *ROLES))} and bits from 2 to 8, 16 or 32"
            for text in export.bits
            if _rule(text) is None
        ),
    ]


def _rule(text: str) -> BitRule | None:
    """None where the text is no rule."""
    match = _RULE.fullmatch(text.replace(" ", ""))
    if match is None or int(match[3]) not in WIDTHS or match[2] not in (*FAMILIES, *ROLES):
        return None
    layers = tuple(int(layer) for layer in match[1].split(",")) if match[1] else ()
    return BitRule(FAMILIES.get(match[2], (match[2],)), layers, int(match[3]))
