"""What a self-extracting script would execute becomes its text, in every encoding and style, without executing anything."""

from __future__ import annotations

import base64
import bz2
import gzip
import lzma
import textwrap
import zlib
from collections.abc import Callable, Mapping

import brotli
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pgolf_check.submission.model import Script
from pgolf_check.submission.unwrap import unwrap

RAW = [{"id": lzma.FILTER_LZMA2, "preset": 9}]
PROGRAM = "import torch\n\nfor x in range(3):\n    loss = x\n    print('ü', loss)\n"

CODECS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "zlib": (zlib.compress, "zlib.decompress({})"),
    "gzip": (gzip.compress, "gzip.decompress({})"),
    "bz2": (bz2.compress, "bz2.decompress({})"),
    "lzma": (lzma.compress, "lzma.decompress({})"),
    "raw lzma": (
        lambda data: lzma.compress(data, format=lzma.FORMAT_RAW, filters=RAW),
        "lzma.decompress({}, format=lzma.FORMAT_RAW, filters=[{{'id': lzma.FILTER_LZMA2, 'preset': 9}}])",
    ),
    "brotli": (brotli.compress, "brotli.decompress({})"),
    "zstandard": (zstandard.compress, "zstandard.ZstdDecompressor().decompress({})"),
    "none": (bytes, "{}"),
}
TEXTS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "base85": (base64.b85encode, "base64.b85decode({})"),
    "base64": (base64.b64encode, "base64.b64decode({})"),
    "ascii85": (base64.a85encode, "base64.a85decode({})"),
    "hex": (lambda data: data.hex().encode(), "bytes.fromhex({}.decode())"),
    "raw": (bytes, "{}"),
}
IMPORTS = "import base64, zlib, gzip, bz2, lzma, brotli, zstandard\n"


def literal(data: bytes, style: str) -> str:
    """A bytes literal, or several side by side."""
    if style == "adjacent":
        size = max(1, len(data) // 3)
        return "(" + " ".join(repr(data[at : at + size]) for at in range(0, len(data), size)) + ")"
    if style == "added":
        half = len(data) // 2
        return f"({data[:half]!r} + {data[half:]!r})"
    return repr(data)


def statement(value: str, style: str) -> str:
    """Code that executes a value."""
    forms = {
        "direct": "exec({})",
        "compiled": "exec(compile({}, __file__, 'exec'))",
        "decoded": "s = {}\ns = s.decode('utf-8')\nexec(s)",
        "function": "def unpack():\n    return {}\nexec(unpack(), globals())",
        "lambda": "(lambda v: exec(v))({})",
        "getattr": "import builtins\ngetattr(builtins, 'ex' + 'ec')({})",
        "guarded": "if __name__ == '__main__':\n    exec({})",
        "written": "import runpy\nwith open('/tmp/x.py', 'wb') as f:\n    f.write({})\nrunpy.run_path('/tmp/x.py', run_name='__main__')",
        "started": (
            "import subprocess, sys, tempfile, os\nd = tempfile.mkdtemp()\np = os.path.join(d, 'x.py')\n"
            "open(p, 'wb').write({})\nsubprocess.run([sys.executable, p])"
        ),
    }
    return forms[style].format(value)


STYLES = ("direct", "compiled", "decoded", "function", "lambda", "getattr", "guarded", "written", "started")


def wrap(program: str, codec: str, text: str, how: str = "plain", style: str = "direct") -> str:
    pack, unpacked = CODECS[codec]
    encode, decoded = TEXTS[text]
    return IMPORTS + statement(unpacked.format(decoded.format(literal(encode(pack(program.encode())), how))), style) + "\n"


def opened(source: str | bytes, files: Mapping[str, bytes] | None = None, path: str = "train_gpt.py") -> Script:
    data = source.encode() if isinstance(source, str) else source
    return unwrap(path, data, (files or {}).get)


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\ufeff"), max_size=200).map(
        lambda t: f"x = 1\n# {t!r}\n"
    ),
    st.sampled_from(sorted(CODECS)),
    st.sampled_from(sorted(TEXTS)),
    st.sampled_from(["plain", "adjacent", "added"]),
    st.sampled_from(STYLES),
)
@example("x = 1\n", "none", "raw", "plain", "started")
@settings(max_examples=120, deadline=None)
def test_round_trip(program: str, codec: str, text: str, how: str, style: str) -> None:
    script = opened(wrap(program, codec, text, how, style))
    assert (script.text, script.problem) == (program, "")
    expected = [layer for layer in (text, "lzma" if codec == "raw lzma" else codec) if layer not in ("raw", "none")]
    assert list(script.layers) == expected


@given(st.lists(st.tuples(st.sampled_from(sorted(CODECS)), st.sampled_from(sorted(TEXTS))), min_size=2, max_size=4))
@settings(max_examples=30, deadline=None)
def test_nested(layers: list[tuple[str, str]]) -> None:
    source = PROGRAM
    for codec, text in layers:
        source = wrap(source, codec, text)
    assert opened(source).text == PROGRAM


def test_too_deeply_nested_ends_as_a_problem() -> None:
    source = PROGRAM
    for _ in range(14):
        source = wrap(source, "lzma", "base85")
    script = opened(source)
    assert script.text is None
    assert "times" in script.problem


def test_aliased_imports_and_prologue() -> None:
    payload = base64.b85encode(lzma.compress(PROGRAM.encode())).decode()
    source = f'import os\nos.environ.setdefault("TTT_LR","1e-3")\nimport lzma as L,base64 as B\nexec(L.decompress(B.b85decode("{payload}")))\n'
    script = opened(source)
    assert script.text == PROGRAM
    assert 'os.environ.setdefault("TTT_LR","1e-3")' in script.prologue
    assert payload not in script.prologue


def test_imports_alone_are_no_prologue() -> None:
    assert opened(wrap(PROGRAM, "lzma", "base85")).prologue == ""


def test_code_after_the_execution_stays() -> None:
    source = wrap("def main():\n    print(1)\n", "zlib", "base64") + "main()\n"
    assert opened(source).text == "def main():\n    print(1)\n\nmain()"


def test_a_namespace_of_its_own_becomes_the_program() -> None:
    source = (
        wrap("def main():\n    pass\n", "zlib", "base64").replace("exec(", "ns = {}\nexec(").replace("')))\n", "')), ns)\n")
        + "ns['main']()\n"
    )
    assert opened(source).text == "def main():\n    pass\n\nmain()"


def test_multi_line_literal() -> None:
    lines = "\n".join(textwrap.wrap(base64.b85encode(zlib.compress(PROGRAM.encode())).decode(), 40))
    source = f'import base64, zlib\nexec(zlib.decompress(base64.b85decode(r"""\n{lines}\n""".replace("\\n", ""))))\n'
    assert opened(source).text == PROGRAM
    assert opened(source.replace('.replace("\\n", "")', "")).text == PROGRAM


def test_line_cache_of_the_decoded_source() -> None:
    payload = base64.b85encode(lzma.compress(PROGRAM.encode())).decode()
    source = (
        f"import lzma as L,base64 as B,linecache as C\nS=L.decompress(B.b85decode({payload!r})).decode()\nF=__file__+'.x.py'\n"
        "C.cache[F]=(len(S),None,S.splitlines(True),F)\nexec(compile(S,F,'exec'))\n"
    )
    assert opened(source).text == PROGRAM


@pytest.mark.parametrize(
    "source",
    [
        "exec(open('other.py').read())",
        'exec(open(__file__.replace("train_gpt.py","other.py")).read())',
        "import os\nexec(compile(open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'other.py')).read(), 'other.py', 'exec'))",
        "from pathlib import Path\nexec((Path(__file__).resolve().parent / 'other.py').read_text())",
        "import runpy\nrunpy.run_path('other.py', run_name='__main__')",
        "import subprocess, sys\nsubprocess.run([sys.executable, 'other.py'], check=True)",
    ],
)
def test_a_sibling_that_is_executed(source: str) -> None:
    files = {"code/other.py": PROGRAM.encode()}
    script = opened(source + "\nimport base64\nbase64.b64decode\n", files, "code/train_gpt.py")
    assert script.text is not None
    assert script.text.startswith(PROGRAM)


def test_a_compressed_sibling() -> None:
    script = opened("import lzma\nexec(lzma.open('code.xz').read())", {"code.xz": lzma.compress(PROGRAM.encode())})
    assert (script.text, script.layers) == (PROGRAM, ("file", "lzma"))


def test_an_absent_sibling_is_a_problem() -> None:
    script = opened("exec(open('gone.py').read())")
    assert script.text is None
    assert "gone.py" in script.problem


MODULES = """
import sys, types
SOURCE = "def f():\\n    return 1\\n"
def install(name, text):
    module = types.ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
    sys.modules[name] = module
install("helper", SOURCE)
install("pack.tools", "g = 2\\n")
import helper
class Net(nn.Module):
    pass
loss.backward()
"""


def test_modules_in_strings() -> None:
    script = opened(MODULES)
    assert script.text == MODULES
    assert dict(script.modules) == {"helper": "def f():\n    return 1\n", "pack.tools": "g = 2\n"}


def test_a_program_with_an_incidental_exec_keeps_its_text() -> None:
    source = "import torch\nclass Net(torch.nn.Module):\n    pass\ndef build(text):\n    exec(text, {})\nbuild(input())\nloss.backward()\n"
    script = opened(source)
    assert (script.text, script.problem) == (source, "")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import marshal, base64\nexec(marshal.loads(base64.b85decode('abcde')))", "marshal"),
        ("import urllib.request\nexec(urllib.request.urlopen('http://x').read())", "network"),
        ("exec(unheard_of(b'abc'))", "not known"),
        ("import base64, lzma\nexec(lzma.decompress(base64.b85decode('0123456789')))", "lzma"),
        ("import base64, zlib\nexec(zlib.decompress(base64.b64decode('A')))", "base64"),
        ("exec(b'')", "empty"),
        ("exec(open(__file__).read())", "times"),
    ],
)
def test_what_cannot_be_decoded_is_opaque(source: str, says: str) -> None:
    script = opened(source, {"train_gpt.py": source.encode()})
    assert script.text is None
    assert says in script.problem


def test_nothing_is_executed(tmp_path_factory: pytest.TempPathFactory) -> None:
    mark = tmp_path_factory.mktemp("mark") / "mark"
    program = f"open({str(mark)!r}, 'w').write('ran')\n"
    assert (
        opened(wrap(program, "lzma", "base85") + program + "__import__('os').system('touch ' + " + repr(str(mark)) + ")\n").text
        is not None
    )
    assert not mark.exists()


@pytest.mark.parametrize("codec", sorted(set(CODECS) - {"none"}))
def test_a_bomb_is_a_problem(codec: str) -> None:
    pack, unpacked = CODECS[codec]
    source = IMPORTS + statement(unpacked.format(literal(pack(bytes(70 << 20)), "plain")), "direct")
    assert len(source) < 1 << 20
    script = opened(source)
    assert script.text is None
    assert "64 MiB" in script.problem


def test_bombs_in_a_chain_share_one_budget() -> None:
    bomb = zlib.compress(zlib.compress(bytes(200 << 20), 9), 9)
    script = opened(f"import zlib\nexec(zlib.decompress(zlib.decompress({bomb!r})))")
    assert script.text is None
    assert "64 MiB" in script.problem


@pytest.mark.parametrize(
    "source",
    [
        "s = 'a' * 10**12\nexec(s)",
        "s = 'ab'\n" + "s = s + s\n" * 60 + "exec(s)",
        "s = 'a' * 60000000\nexec(s.replace('a', 'b' * 1000))",
        "def f(x):\n    return f(x) + f(x)\nexec(f('a'))",
        "exec(bytes(range(10**12)))",
        "exec(bytes([i for i in range(10**9)]))",
        "x = 3\n" + "x = x * x\n" * 80 + "exec(str(x))",
        "exec(" + "+".join(["'a'"] * 20000) + ")",
        "exec(" + "(" * 10000 + "'a'" + ")" * 10000 + ")",
        "exec(" + "-" * 50000 + "1)",
    ],
)
def test_hostile_arithmetic_ends(source: str) -> None:
    script = opened(source)
    assert script.text is None or len(script.text) < 1 << 20


PEP_701 = 'name = "a"\nlabel = f"{name + f"{name}"}"\n'


def test_a_prologue_in_a_later_grammar() -> None:
    script = opened(PEP_701 + wrap(PROGRAM, "zlib", "base85"))
    assert script.text == PROGRAM
    assert "label = f" in script.prologue


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_encoded_wrappers(encoding: str) -> None:
    source = wrap(PROGRAM, "zlib", "base85").replace("\n", "\r\n").encode(encoding)
    assert opened(source).text == PROGRAM


@given(st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_text_is_answered(text: str) -> None:
    script = unwrap("x.py", ("exec " + text).encode("utf-8", "surrogatepass"), {}.get)
    assert script.text is not None or script.problem
