"""How the weights become an artifact."""

from dataclasses import dataclass

from pgolf_ref.config.checks import choices, ranges

CODECS = ("brotli", "zstd", "lzma")


@dataclass(frozen=True, slots=True)
class ExportConfig:
    """The defaults are the official baseline, but for the codec."""

    matrix_bits: int = 8
    embedding_bits: int = 8
    float8: bool = False  # 8-bit floats (e4m3) instead of integers
    codec: str = "brotli"
    cap_bytes: int = 16_000_000  # code + artifact


def problems(export: ExportConfig) -> list[str]:
    """Every rule that the section breaks."""
    bits = ("matrix_bits", "embedding_bits")
    return ranges("export", export, {"positive": ("cap_bytes",), "from 2 to 8": bits}) + choices(
        "export", export, {"codec": CODECS}
    )
