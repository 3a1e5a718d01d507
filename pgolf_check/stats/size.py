"""How small a script gets when it is minified, compressed and wrapped to extract itself, the form that records count."""

from __future__ import annotations

import base64
import lzma

MINIFIABLE = 400_000
"""Characters above which a source is compressed as it is: minifying takes time that grows with it."""
WRAPPER = 'import lzma as L,base64 as B\nexec(L.decompress(B.b85decode(""),format=L.FORMAT_RAW,filters=[{"id":L.FILTER_LZMA2}]))\n'
"""The shortest wrapper in use, without its payload."""


def packed_size(source: str) -> int:
    """Bytes of the source as a self-extracting script; the source is parsed, never executed."""
    return min(_wrapped(source), _wrapped(_minified(source)))


def _wrapped(source: str) -> int:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]
    packed = lzma.compress(source.encode("utf-8", "surrogateescape"), format=lzma.FORMAT_RAW, filters=filters)
    return len(base64.b85encode(packed)) + len(WRAPPER)


def _minified(source: str) -> str:
    """The source minified, or as it is where this interpreter cannot parse it."""
    import python_minifier

    if len(source) > MINIFIABLE:
        return source
    try:
        return python_minifier.minify(source, remove_literal_statements=True, rename_locals=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, python_minifier.UnstableMinification):
        return source
