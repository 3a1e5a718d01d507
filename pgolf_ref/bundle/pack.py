"""A script that unpacks itself: LZMA and base 85, in the form that most packed submissions have."""

import base64
import lzma

DICTIONARY = 2**20  # bytes
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 3, "lp": 0, "pb": 0, "dict_size": DICTIONARY}]
_WRAPPER = (
    "import lzma as L,base64 as B\n"
    'exec(L.decompress(B.b85decode("{data}"),format=L.FORMAT_RAW,filters=[{{"id":L.FILTER_LZMA2,"dict_size":{size}}}]))\n'
)


def packed(script: str) -> str:
    """The wrapper around a script of less than a megabyte, which behaves as the script does."""
    data = script.encode("utf-8")
    assert len(data) <= DICTIONARY, "one dictionary holds the script"
    compressed = lzma.compress(data, format=lzma.FORMAT_RAW, filters=FILTERS)
    return _WRAPPER.format(data=base64.b85encode(compressed).decode("ascii"), size=DICTIONARY)
