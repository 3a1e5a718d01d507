"""How small a script gets when it is minified, compressed and wrapped to extract itself, the form that records count."""

from __future__ import annotations

import base64
import lzma

MINIFIABLE = 400_000
"""Characters above which a source is compressed as it is: minifying takes time that grows with it."""
LZMA = 'import lzma as L,base64 as B\nexec(L.decompress(B.b85decode(""),format=L.FORMAT_RAW,filters=[{"id":L.FILTER_LZMA2}]))\n'
BROTLI = 'import brotli as L,base64 as B\nexec(L.decompress(B.b85decode("")))\n'
"""The shortest wrappers in use, without their payload."""


def packed_size(source: str) -> int:
    """Bytes of the source as a self-extracting script; the source is parsed, never executed."""
    forms = {source.encode("utf-8", "surrogateescape"), _minified(source).encode("utf-8", "surrogateescape")}
    return min(size for form in forms for size in (_with_lzma(form), _with_brotli(form)))


def _with_lzma(source: bytes) -> int:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]
    return len(base64.b85encode(lzma.compress(source, format=lzma.FORMAT_RAW, filters=filters))) + len(LZMA)


def _with_brotli(source: bytes) -> int:
    import brotli

    return len(base64.b85encode(brotli.compress(source, quality=11, lgwin=24))) + len(BROTLI)


def _minified(source: str) -> str:
    """The source minified, or as it is where this interpreter cannot parse it."""
    import python_minifier

    if len(source) > MINIFIABLE:
        return source
    try:
        return python_minifier.minify(source, remove_literal_statements=True, rename_locals=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, python_minifier.UnstableMinification):
        return source
