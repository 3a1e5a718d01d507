"""The artifact: quantiser bounds, exact round trips, deterministic bytes, and refusal of anything that is not intact."""

import hashlib
import json
import struct

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from toys import random_model, small

from pgolf_ref.errors import UserError
from pgolf_ref.quant.artifact import export_model, load_model, restored_model
from pgolf_ref.quant.codecs import CodecError, compress, compress_smallest, decompress
from pgolf_ref.quant.container import CODECS, MAGIC, ContainerError, read_container, write_container
from pgolf_ref.quant.pack import DTYPES, pack, unpack
from pgolf_ref.quant.rounding import largest_code
from pgolf_ref.quant.rtn import dequantise, quantise
from pgolf_ref.registry import Group, registry

SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=7)
ANY_ARRAY = st.sampled_from(sorted(DTYPES)).flatmap(lambda name: arrays.arrays(np.dtype(name), SHAPES))
MATRICES = arrays.arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 9)), elements=st.floats(-50, 50, width=32))

EXAMPLE = {"weight:codes": np.arange(-8, 8, dtype=np.int8).reshape(4, 4), "gain": np.linspace(0, 1, 5, dtype=np.float32)}


def same(first: np.ndarray, second: np.ndarray) -> bool:
    """Equal bit by bit, NaN included."""
    return first.dtype == second.dtype and first.shape == second.shape and first.tobytes() == second.tobytes()


def sealed(rest: bytes) -> bytes:
    """A container with a right checksum over any content."""
    return MAGIC + hashlib.sha256(rest).digest() + rest


def with_body(body: bytes, size: int | None = None) -> bytes:
    compressed = compress("brotli", body)
    return sealed(struct.pack("<BQQ", 0, len(compressed), len(body) if size is None else size) + compressed)


def with_manifest(manifest: object, data: bytes = b"") -> bytes:
    text = json.dumps(manifest).encode()
    return with_body(struct.pack("<I", len(text)) + text + data)


# Rounding


@given(MATRICES, st.integers(2, 8))
def test_an_element_is_off_by_half_a_step_at_most(weight: np.ndarray, bits: int) -> None:
    codes, scales = quantise(torch.from_numpy(weight), bits)
    limit = largest_code(bits)
    exact_step = np.abs(weight).max(axis=1, keepdims=True) / limit
    assert int(codes.abs().max()) <= limit
    error = np.abs(dequantise(codes, scales).numpy() - weight)
    half_a_step = 0.5 * scales.numpy().astype(np.float64)[:, None]
    # A scale that float16 rounded down leaves up to limit / 2048 of a step beyond the largest code, a tiny one up to 2^-25.
    assert (error <= half_a_step * 1.0001 + exact_step * limit / 2048 + limit * 2.0**-24).all()


@given(MATRICES, st.integers(2, 8))
def test_quantising_again_changes_nothing(weight: np.ndarray, bits: int) -> None:
    codes, scales = quantise(torch.from_numpy(weight), bits)
    once = dequantise(codes, scales)
    again, scales_again = quantise(once, bits)
    assert torch.equal(dequantise(again, scales_again), once)


def test_rounding_agrees_with_a_loop_over_elements() -> None:
    weight = torch.randn(5, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    codes, scales = quantise(weight, 6)
    for row in range(5):
        scale = float(np.float16(float(weight[row].abs().max()) / 31))
        assert float(scales[row]) == scale
        assert codes[row].tolist() == [max(-31, min(31, round(float(w) / scale))) for w in weight[row]]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e9])
def test_weights_that_cannot_be_stored_are_refused(value: float) -> None:
    with pytest.raises(UserError, match="cannot be exported"):
        quantise(torch.tensor([[1.0, value]]), 8)


# Bytes


@given(ANY_ARRAY)
def test_packing_is_reversible(array: np.ndarray) -> None:
    assert same(unpack(pack(array), array.dtype.name, array.shape), array)


@pytest.mark.parametrize("codec", CODECS)
@given(data=st.binary(max_size=300), repeat=st.integers(1, 50))
@settings(max_examples=25, deadline=None)
def test_a_codec_gives_back_what_it_got_and_only_that_size(codec: str, data: bytes, repeat: int) -> None:
    data *= repeat
    compressed = compress(codec, data)
    assert decompress(codec, compressed, len(data)) == data
    assert compress(codec, data) == compressed
    for size in {max(len(data) - 1, 0), len(data) // 2, len(data) + 1} - {len(data)}:
        with pytest.raises(CodecError):
            decompress(codec, compressed, size)


@pytest.mark.parametrize("codec", CODECS)
def test_a_bomb_stops_at_the_promised_size(codec: str) -> None:
    with pytest.raises(CodecError):
        decompress(codec, compress(codec, bytes(20_000_000)), 1000)


def test_the_smallest_codec_is_chosen() -> None:
    data = b"words and more words " * 99
    name, output = compress_smallest(data, CODECS)
    assert len(output) == min(len(compress(codec, data)) for codec in CODECS)
    assert decompress(name, output, len(data)) == data


# Container


@given(st.dictionaries(st.text(max_size=9), ANY_ARRAY, max_size=5), st.sampled_from(CODECS))
@settings(max_examples=50, deadline=None)
def test_a_container_gives_back_its_arrays(content: dict[str, np.ndarray], codec: str) -> None:
    meta = {"model": {"layers": 3}, "text": "ü"}
    data = write_container(content, meta, (codec,))
    assert write_container(content, meta, (codec,)) == data
    found, found_meta = read_container(data)
    assert list(found) == list(content) and found_meta == meta
    assert all(same(found[name], content[name]) for name in content)


def test_every_corrupted_byte_is_refused() -> None:
    data = write_container(EXAMPLE, {"a": 1})
    read_container(data)
    choose = np.random.default_rng(0)
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= int(choose.integers(1, 256))
        with pytest.raises(ContainerError, match="the artifact is damaged: .*; export it again"):
            read_container(bytes(damaged))


def test_every_cut_and_every_addition_is_refused() -> None:
    data = write_container(EXAMPLE, {})
    for length in range(len(data)):
        with pytest.raises(ContainerError):
            read_container(data[:length])
    with pytest.raises(ContainerError):
        read_container(data + b"\0")


@pytest.mark.parametrize(
    "data",
    [
        sealed(b""),
        sealed(struct.pack("<BQQ", 9, 0, 0)),
        sealed(struct.pack("<BQQ", 0, 5, 0)),
        sealed(struct.pack("<BQQ", 0, 4, 4) + b"\xff\xff\xff\xff"),
        with_body(b"abc"),
        with_body(b"\xff\xff\xff\xff{}"),
        with_body(b"", size=2**40),
        with_body(b"1234", size=3),
        with_manifest([]),
        with_manifest({"meta": {}}),
        with_manifest({"meta": {}, "arrays": [{"name": "a", "dtype": "object", "shape": [1]}]}, b"\0" * 8),
        with_manifest({"meta": {}, "arrays": [{"name": "a", "dtype": "int8", "shape": [-1]}]}),
        with_manifest({"meta": {}, "arrays": [{"name": "a", "dtype": "int8", "shape": [2**29, 2**29]}]}),
        with_manifest({"meta": {}, "arrays": [{"name": "a", "dtype": "int8", "shape": [3]}]}, b"\0" * 2),
        with_manifest({"meta": {}, "arrays": [{"name": "a", "dtype": "int8", "shape": [1]}]}, b"\0" * 2),
        with_manifest({"meta": {}, "arrays": [{"name": "a", "dtype": "int8", "shape": [1]}] * 2}, b"\0" * 2),
        with_manifest({"meta": {}, "arrays": [{"name": 7, "dtype": "int8", "shape": [1]}]}, b"\0"),
        with_manifest({"meta": {}, "arrays": [{"name": "a", "dtype": [], "shape": [1]}]}, b"\0"),
        with_manifest({"meta": {}, "arrays": [{"name": "a", "dtype": "int8", "shape": 5}]}, b"\0"),
        with_body(struct.pack("<I", 100_000) + b"[" * 100_000),
    ],
)
def test_a_malformed_container_with_a_right_checksum_is_refused(data: bytes) -> None:
    with pytest.raises(ContainerError, match="the artifact is damaged"):
        read_container(data)


# Models


def test_a_loaded_model_is_the_quantised_model_exactly() -> None:
    config = small("export.matrix_bits=6")
    model = random_model(config)
    loaded = load_model(export_model(model, config))
    entries, loaded_parameters = registry(model), dict(loaded.named_parameters())
    for name, parameter in model.named_parameters():
        if entries[name].group is Group.SCALAR:
            expected = parameter.float()
        else:
            expected = dequantise(*quantise(parameter, 6 if entries[name].group is Group.MATRIX else 8))
        assert torch.equal(loaded_parameters[name], expected), name
    assert loaded.config == config.model


def test_the_run_that_wrote_an_artifact_needs_no_description_of_its_model() -> None:
    config = small()
    data = export_model(random_model(config), config)
    described, known = load_model(data), restored_model(data, config.model)
    for name, parameter in described.named_parameters():
        assert torch.equal(known.get_parameter(name), parameter), name
    with pytest.raises(ContainerError, match="not those of the model|has the shape"):
        restored_model(data, small("model.layers=6").model)


@pytest.mark.parametrize("override", ["model.tied=false", "export.codec=zstd", "export.codec=lzma"])
def test_exporting_a_loaded_model_gives_the_same_bytes(override: str) -> None:
    config = small(override)
    data = export_model(random_model(config), config)
    assert export_model(load_model(data), config) == data


def _renamed(arrays: dict[str, np.ndarray], name: str, suffix: str, stem: str = "") -> dict[str, np.ndarray]:
    """The arrays with one of them, as bytes, under another name."""
    rest = {other: array for other, array in arrays.items() if other != name}
    return {**rest, (stem or name) + suffix: arrays[name].astype(np.uint8)}


def test_arrays_that_do_not_fit_the_model_are_refused() -> None:
    config = small()
    found, meta = read_container(export_model(random_model(config), config))
    name = next(name for name in found if name.endswith(":codes"))
    broken = {
        "one array too few": ({other: array for other, array in found.items() if other != "skips.weight"}, meta),
        "one array too many": ({**found, "extra": np.zeros(3, np.float32)}, meta),
        "another shape": ({**found, name: found[name][:, :-1]}, meta),
        "codes without scales": ({other: found[other] for other in found if other != name.replace("codes", "scales")}, meta),
        "a vector in codes": (_renamed(found, "blocks.0.attention.gain", ":codes"), meta),
        "ternary codes without groups": (_renamed(found, name, ":base3", name.replace(":codes", "")), meta),
        "codes that are no codes": ({**found, name: found[name].astype(np.float32)}, meta),
        "no description": (found, {}),
        "a wrong description": (found, {"model": {**meta["model"], "dim": "64"}}),
        "an impossible description": (found, {"model": {**meta["model"], "heads": 3}}),
        "a model without end": (found, {"model": {**meta["model"], "layers": 10**9}}),
        "wide blocks without an MLP": (
            found,
            {"model": {**meta["model"], "dim": 40_000, "block": {**meta["model"].get("block", {}), "drop_mlp": [0, 1, 2]}}},
        ),
        "a wide embedding of values": (
            found,
            {
                "model": {
                    **meta["model"],
                    "attention": {
                        **meta["model"].get("attention", {}),
                        "value_embedding_layers": [0],
                        "value_embedding_dim": 10**9,
                    },
                }
            },
        ),
    }
    for what, (content, description) in broken.items():
        with pytest.raises(ContainerError, match="export it again"):
            load_model(write_container(content, description))
            pytest.fail(what)
