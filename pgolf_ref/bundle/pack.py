"""A script that unpacks itself: brotli or LZMA, whichever is smaller, in a text of one byte per character."""

import lzma
import re

import brotli

from pgolf_ref.script import ONE_BYTE

DICTIONARY = 2**20  # bytes
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 3, "lp": 0, "pb": 0, "dict_size": DICTIONARY}]
_BROTLI = 'import brotli as B\nexec(B.decompress({data}.encode("l1")))\n'
_LZMA = (
    "import lzma as L\n"
    'exec(L.decompress({data}.encode("l1"),format=L.FORMAT_RAW,filters=[{{"id":L.FILTER_LZMA2,"dict_size":{size}}}]))\n'
)
ESCAPES = {"\\": "\\\\", "\r": "\\r", "\n": "\\n"}
DIGITAL = re.compile("\0(?=[0-7])")  # an octal escape takes in the digits that follow it


def packed(script: str, *, with_brotli: bool) -> str:
    """The wrapper around a script of less than a megabyte, which behaves as the script does; its coding is that of `ONE_BYTE`."""
    data = script.encode("utf-8")
    assert len(data) <= DICTIONARY, "one dictionary holds the script"
    compressed = lzma.compress(data, format=lzma.FORMAT_RAW, filters=FILTERS)
    forms = [_LZMA.format(data=written(compressed), size=DICTIONARY)]
    if with_brotli:
        forms.append(_BROTLI.format(data=written(brotli.compress(data, quality=11, lgwin=24))))
    return ONE_BYTE + min(forms, key=len)


def written(data: bytes) -> str:
    """A literal of these bytes as characters: what ends a line or the literal, and the zero that no source holds, are escaped."""
    text = data.decode("latin-1")
    quote = min("\"'", key=text.count)
    text = text.translate(str.maketrans({**ESCAPES, quote: f"\\{quote}"}))
    return quote + DIGITAL.sub(r"\\000", text).replace("\0", "\\0") + quote
