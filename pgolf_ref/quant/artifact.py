"""A model as an artifact and back: every parameter by the route that the registry and the configuration give it.

* matrices and embeddings: integers of so many bits with a scale per row, or floats of 8, 16 or 32 bits
* matrices of ternary blocks: packed codes with a scale per group of columns
* gains and constants: float32

Invariants: every parameter is stored exactly once; the loaded model computes with exactly the dequantised weights; an artifact
describes the shape of its model itself.
"""

import dataclasses
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pgolf_ref.config import Config, ModelConfig, from_dict
from pgolf_ref.errors import ConfigError, UserError
from pgolf_ref.model.block import weights_at_least
from pgolf_ref.model.embedder import table_width
from pgolf_ref.model.gpt import GPT
from pgolf_ref.quant.container import ContainerError, read_container, write_container
from pgolf_ref.quant.routes import Form, Route, route
from pgolf_ref.quant.rtn import dequantise, quantise
from pgolf_ref.quant.ternary import PACKERS, latent, pack_smallest, ternarise
from pgolf_ref.registry import Entry, registry

CODES, SCALES, FLOAT8 = ":codes", ":scales", ":float8"
PER_BYTE = 8  # parameters that a byte of an artifact can stand for, at most

Arrays = dict[str, NDArray[Any]]


def export_model(model: GPT, config: Config) -> bytes:
    """The bytes of the artifact."""
    codes: Arrays = {}
    rest: Arrays = {}
    parameters = dict(model.named_parameters())
    # Codes first and scales after them: neighbours of one kind compress better.
    for name, entry in sorted(registry(model).items(), key=lambda item: item[1].group):
        weight = parameters[name].detach().to("cpu", torch.float32)
        coded, others = _encode(weight, route(entry, config), config.model.ternary_group)
        codes |= {name + suffix: array for suffix, array in coded.items()}
        rest |= {name + suffix: array for suffix, array in others.items()}
    return write_container({**codes, **rest}, {"model": dataclasses.asdict(config.model)}, (config.export.codec,))


def load_model(data: bytes, dtype: torch.dtype | None = None) -> GPT:
    """The model in an artifact, on the CPU in float32; `dtype` of activations, None is float32 too."""
    arrays, meta = read_container(data)
    config = _described(meta)
    at_least = config.vocab_size * table_width(config) + weights_at_least(config)
    if at_least > PER_BYTE * sum(array.size for array in arrays.values()):
        raise ContainerError("the artifact describes a larger model than its arrays can fill; export it again")
    with torch.random.fork_rng(devices=[]):
        model = GPT(config, dtype)
    with torch.no_grad():
        parameters = dict(model.named_parameters())
        for name, entry in registry(model).items():
            parameters[name].copy_(_decode(name, arrays, entry, config))
    if arrays:
        raise ContainerError(f"the artifact holds {min(arrays)}, which is no part of the model that it describes; export it again")
    return model


def format_name(config: Config) -> str:
    """The format of most weights, such as int6."""
    if config.model.ternary_group:
        return "ternary"
    return "float8" if config.export.float8 else f"int{config.export.matrix_bits}"


def format_in_words(config: Config) -> str:
    """How the weights are stored, as a sentence for a reader of the submission."""
    export, group = config.export, config.model.ternary_group
    if export.float8:
        rest = "Weights are 8-bit floats (e4m3)"
    else:
        bits = f"int{export.matrix_bits} levels (embeddings: int{export.embedding_bits})"
        bits += f" and by role {', '.join(export.bits)}" if export.bits else ""
        rest = f"Weights are rounded to the nearest of {bits} with one float16 scale per row"
    return f"{rest}, matrices of blocks are ternary with one float16 scale per {group} columns" if group else rest


def _encode(weight: Tensor, way: Route, ternary_group: int) -> tuple[Arrays, Arrays]:
    """The arrays of codes and the others of one parameter, by the suffix of their names."""
    if way.form is Form.KEPT:
        return {}, {"": weight.numpy()}
    if way.form is Form.HALF:
        return {}, {"": _finite(weight.to(torch.float16)).numpy()}
    if way.form is Form.TERNARY:
        codes, scales = ternarise(weight, ternary_group)
        packing, data = pack_smallest(codes.to(torch.int8).numpy())
        return {f":{packing}": np.frombuffer(data, dtype=np.uint8)}, {SCALES: scales.to(torch.float16).numpy()}
    if way.form is Form.FLOAT8:
        return {FLOAT8: weight.to(torch.float8_e4m3fn).view(torch.uint8).numpy()}, {}
    coded, scales = quantise(weight, way.bits)
    return {CODES: coded.numpy()}, {SCALES: scales.numpy()}


def _finite(weight: Tensor) -> Tensor:
    if not torch.isfinite(weight).all():
        raise UserError("a weight is not finite or too large for a float16: the model has diverged and cannot be exported")
    return weight


def _decode(name: str, arrays: Arrays, entry: Entry, model: ModelConfig) -> Tensor:
    """The parameter that the arrays of a name hold, which are taken out of `arrays`."""
    try:
        weight = _decode_arrays(name, arrays, entry, model)
    except (KeyError, ValueError, RuntimeError) as error:
        raise ContainerError(
            f"the artifact's arrays of {name} are not those of the model that it describes; export it again"
        ) from error
    if weight.shape != entry.shape:
        raise ContainerError(f"the artifact's {name} has the shape {tuple(weight.shape)}, not {entry.shape}; export it again")
    return weight


def _decode_arrays(name: str, arrays: Arrays, entry: Entry, model: ModelConfig) -> Tensor:
    if name in arrays or len(entry.shape) != 2:
        return _taken(arrays, name, np.float32, np.float16).to(torch.float32)
    packing = next((packing for packing in PACKERS if f"{name}:{packing}" in arrays), None)
    if packing is not None and model.ternary_group:
        data = _taken(arrays, f"{name}:{packing}", np.uint8).numpy().tobytes()
        codes = torch.from_numpy(PACKERS[packing][1](data, entry.count)).view(entry.shape)
        scales = _taken(arrays, name + SCALES, np.float16).view(entry.shape[0], -1)
        return latent(codes.to(torch.float32), scales.to(torch.float32), model.ternary_group)
    if name + FLOAT8 in arrays:
        return _taken(arrays, name + FLOAT8, np.uint8).view(torch.float8_e4m3fn).to(torch.float32)
    codes, scales = _taken(arrays, name + CODES, np.int8), _taken(arrays, name + SCALES, np.float16)
    if codes.shape[:1] != scales.shape:
        raise ValueError("a scale per row is expected")
    return dequantise(codes, scales)


def _taken(arrays: Arrays, name: str, *dtypes: type[np.generic]) -> Tensor:
    array = arrays.pop(name)
    if array.dtype not in dtypes:
        raise ValueError(f"{name} is of type {array.dtype}")
    return torch.from_numpy(array)


def _described(meta: dict[str, Any]) -> ModelConfig:
    try:
        return from_dict({"model": meta["model"]}).model
    except (KeyError, ConfigError) as error:
        raise ContainerError(f"the artifact does not describe a model ({error}); export it again") from error
