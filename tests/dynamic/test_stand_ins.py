"""What stands in for a newer interpreter and for Triton, against the real thing or plain numpy."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pgolf_check.dynamic.harness.trial import LAUNCHER


def stand_in(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, LAUNCHER.with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module


NEWER = [
    ("f'{names['a']}'", "1"),
    ("f'{'\\n'.join(['x', 'y'])}'", "x\ny"),
    ("f'{f'{f'{1}'}'}'", "1"),
]
OLDER = [
    "f'{value}'", "f'{{{value!r:>{width}}}}|'", "f'{number:.3f} {number!s}'", "f'{number = }'", "f'{number=:.1f}'", "rf'\\d{width}\\x'",
    "f'a' 'b{width}' f'{width}'", "f'\\t{width}\\''", "f'''{\n width\n}'''", "f'\"{width}\"'", "f'{value.upper()}{(lambda x: x)(1)}'", "f''", "f'\\N{DIGIT ONE}{width}'",
]  # fmt: skip
NAMES = {"names": {"a": 1}, "value": "é", "width": 6, "number": 3.14159}


@pytest.mark.parametrize("source", OLDER)
def test_a_formatted_string_says_the_same_without_its_syntax(source: str) -> None:
    older = stand_in("grammar").in_older_grammar(source)
    assert not any(older.startswith(prefix) for prefix in ("f", "rf"))
    assert eval(older, dict(NAMES)) == eval(source, dict(NAMES))


@pytest.mark.parametrize(("source", "expected"), NEWER)
def test_quotes_and_backslashes_may_nest(source: str, expected: str) -> None:
    assert eval(stand_in("grammar").in_older_grammar(source), dict(NAMES)) == expected


@pytest.fixture
def triton() -> Iterator[types.ModuleType]:
    names = ("triton", "triton.language", "triton.tools", "triton.tools.tensor_descriptor")
    before = {name: sys.modules.get(name) for name in names}
    stand_in("triton_on_cpu").install()
    yield sys.modules["triton"]
    for name, module in before.items():
        if module is None:
            del sys.modules[name]
        else:
            sys.modules[name] = module


def test_a_kernel_over_pointers_is_a_cross_entropy(triton: Any) -> None:
    tl = triton.language

    @triton.jit
    def kernel(logits, losses, targets, stride, columns, block: tl.constexpr):  # type: ignore[no-untyped-def,name-defined]
        row = tl.program_id(0).to(tl.int64)
        start = logits + row * stride
        top, total = -float("inf"), 0.0
        for offset in range(0, columns, block):
            places = offset + tl.arange(0, block)
            inside = places < columns
            values = tl.load(start + places, mask=inside, other=-float("inf")).to(tl.float32)
            new = tl.maximum(top, tl.max(values, axis=0))
            total = total * tl.exp(top - new) + tl.sum(tl.where(inside, tl.exp(values - new), 0.0), axis=0)
            top = new
        target = tl.load(targets + row).to(tl.int32)
        tl.store(losses + row, top + tl.log(total) - tl.load(start + target))

    torch.manual_seed(0)
    logits, targets, losses = torch.randn(5, 21), torch.randint(21, (5,)), torch.empty(5)
    kernel[(5,)](logits, losses, targets, logits.stride(0), 21, block=8, num_warps=4)
    torch.testing.assert_close(losses, torch.nn.functional.cross_entropy(logits, targets, reduction="none"))


def test_a_kernel_over_descriptors_is_a_matrix_product(triton: Any) -> None:
    tl = triton.language
    from triton.tools.tensor_descriptor import TensorDescriptor  # type: ignore[import-not-found]

    @triton.jit
    def kernel(a, b, c, rows, columns, depth, M: tl.constexpr, N: tl.constexpr, K: tl.constexpr):  # type: ignore[no-untyped-def,name-defined]
        across = tl.cdiv(columns, N)
        for tile in tl.range(tl.program_id(axis=0), tl.cdiv(rows, M) * across, tl.num_programs(0), flatten=True):
            row, column = tile // across * M, tile % across * N
            acc = tl.zeros((M, N), dtype=tl.float32)
            for k in range(tl.cdiv(depth, K)):
                acc = tl.dot(a.load([row, k * K]), b.load([column, k * K]).T, acc)
            even, odd = tl.split(tl.permute(tl.reshape(acc, (M, 2, N // 2)), (0, 2, 1)))
            c.store([row, column], even)
            c.store([row, column + N // 2], odd)

    torch.manual_seed(0)
    a, b, c = torch.randn(10, 7), torch.randn(13, 7), torch.empty(10, 13)
    shapes = ((a, [4, 4]), (b, [8, 4]), (c, [4, 4]))
    kernel[lambda meta: (3,)](*(TensorDescriptor.from_tensor(*given) for given in shapes), 10, 13, 7, M=4, N=8, K=4)
    np.testing.assert_allclose(c.numpy(), (a @ b.T).numpy(), atol=1e-5)


def test_what_lrzip_would_compress_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", subprocess.run)
    monkeypatch.setenv("PATH", str(tmp_path))
    stand_in("programs").install()
    plain, packed, back = (tmp_path / name for name in ("a.bin", "a.bin.lrz", "b.bin"))
    plain.write_bytes(b"weights" * 1000)
    subprocess.run(["lrzip", "-z", "-L", "9", "-o", str(packed), str(plain)], capture_output=True, check=True)
    assert packed.stat().st_size < 500
    subprocess.run(["lrzip", "-d", "-f", "-o", str(back), str(packed)], check=True)
    assert back.read_bytes() == plain.read_bytes()
    plain.unlink()
    subprocess.run(["lrzip", "-d", "-q", str(packed)], check=True)
    assert plain.read_bytes() == back.read_bytes()


@pytest.mark.parametrize(("text", "nothing"), [(True, ""), (False, b"")])
def test_a_program_that_is_missing_says_nothing(text: bool, nothing: str | bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", subprocess.run)
    stand_in("programs").install()
    for command in (["nvidia-smi"], "nvidia-smi -L", ["a-program-of-no-machine"]):
        done = subprocess.run(command, capture_output=True, text=text, check=True, shell=isinstance(command, str))
        assert done.stdout == nothing
