"""How small a script gets when it is minified, compressed and wrapped to extract itself, the form that records count."""

from __future__ import annotations

import ast
import base64
import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pgolf_check.static.collector import rare_collections
from pgolf_check.submission.syntax import syntax

MINIFIABLE = 300_000
"""Characters above which a source is only laid out anew: minifying takes a second for every 150,000."""
SMALLEST_DICTIONARY = 4096
LZMA = 'import lzma as L,base64 as B\nexec(L.decompress(B.b85decode(""),format=L.FORMAT_RAW,filters=[{"id":L.FILTER_LZMA2}]))\n'
BROTLI = 'import brotli as L,base64 as B\nexec(L.decompress(B.b85decode("")))\n'
"""The shortest wrappers in use, without their payload."""


@dataclass(frozen=True, slots=True)
class Packing:
    """A self-extracting form of a script: its bytes, and whether the source in it was minified."""

    size: int
    minified: bool


def packings(source: str) -> Iterator[Packing]:
    """Forms of a source that extract themselves, the quick ones first; it is parsed, never executed.

    The source is compressed as Python lays it out, without comments, and then minified; as it is, where this interpreter cannot parse it.
    Brotli, which takes three times as long, is for the last form: it gains less than minifying does.
    """
    tree = syntax(source)
    plain = (source if tree is None else _laid_out(tree, source)).encode("utf-8", "surrogatepass")
    yield Packing(_with_lzma(plain), minified=False)
    shortest = _minified(source, tree) if tree is not None and len(source) <= MINIFIABLE else None
    if shortest is None:
        yield Packing(_with_brotli(plain), minified=False)
    else:
        data = shortest.encode("utf-8", "surrogatepass")
        yield from (Packing(size(data), minified=True) for size in (_with_brotli, _with_lzma))


def packed_size(source: str) -> int:
    """Bytes of the smallest form."""
    return min(packing.size for packing in packings(source))


def _with_lzma(source: bytes) -> int:
    dictionary = max(len(source), SMALLEST_DICTIONARY)  # that of the preset takes 700 MB, more than a worker may have
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": dictionary}]
    return len(base64.b85encode(lzma.compress(source, format=lzma.FORMAT_RAW, filters=filters))) + len(LZMA)


def _with_brotli(source: bytes) -> int:
    import brotli

    return len(base64.b85encode(brotli.compress(source, quality=11, lgwin=24))) + len(BROTLI)


def _laid_out(tree: ast.Module, source: str) -> str:
    try:
        return ast.unparse(tree)
    except (ValueError, RecursionError):
        return source


def _minified(source: str, tree: ast.Module) -> str | None:
    """The source minified; None where that fails."""
    import python_minifier

    try:
        with rare_collections():
            return python_minifier.minify(source, remove_literal_statements=True, hoist_literals=False, **_transformations(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError, python_minifier.UnstableMinification):
        return None


def _transformations(tree: ast.Module) -> dict[str, Any]:
    """Whether some transformations find anything to do: each takes a fifteenth of the time of minifying."""
    needed = dict.fromkeys(("remove_pass", "remove_object_base", "convert_posargs_to_args", "remove_explicit_return_none"), False)
    for node in ast.walk(tree):
        if isinstance(node, ast.Pass):
            needed["remove_pass"] = True
        elif isinstance(node, ast.ClassDef):
            needed["remove_object_base"] |= any(isinstance(base, ast.Name) and base.id == "object" for base in node.bases)
        elif isinstance(node, ast.arguments):
            needed["convert_posargs_to_args"] |= bool(node.posonlyargs)
        elif isinstance(node, ast.Return):
            needed["remove_explicit_return_none"] |= node.value is None or _is_none(node.value)
    return needed


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
