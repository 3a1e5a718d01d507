"""A model as an artifact and back: matrices and embeddings quantised as the registry routes them, gains kept in float32.

Invariants: every parameter is stored exactly once; the loaded model computes with exactly the dequantised weights; an artifact
describes the shape of its model itself.
"""

import dataclasses
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pgolf_ref.config import Config, ModelConfig, from_dict
from pgolf_ref.errors import ConfigError
from pgolf_ref.model.gpt import GPT
from pgolf_ref.quant.container import ContainerError, read_container, write_container
from pgolf_ref.quant.rtn import dequantise, quantise
from pgolf_ref.registry import Group, registry

CODES, SCALES = ":codes", ":scales"


def export_model(model: GPT, config: Config) -> bytes:
    """The bytes of the artifact."""
    bits = {
        Group.MATRIX: config.export.matrix_bits,
        Group.EMBEDDING: config.export.embedding_bits,
        Group.HEAD: config.export.embedding_bits,
    }
    codes: dict[str, NDArray[Any]] = {}
    rest: dict[str, NDArray[Any]] = {}
    parameters = dict(model.named_parameters())
    # Codes first and scales after them: neighbours of one kind compress better.
    for name, entry in sorted(registry(model).items(), key=lambda item: item[1].group):
        if entry.group is Group.SCALAR:
            rest[name] = parameters[name].detach().to("cpu", torch.float32).numpy()
        else:
            coded, scales = quantise(parameters[name], bits[entry.group])
            codes[name + CODES], rest[name + SCALES] = coded.numpy(), scales.numpy()
    return write_container({**codes, **rest}, {"model": dataclasses.asdict(config.model)}, (config.export.codec,))


def load_model(data: bytes, dtype: torch.dtype | None = None) -> GPT:
    """The model in an artifact, on the CPU in float32; `dtype` of activations, None is float32 too."""
    arrays, meta = read_container(data)
    found = _weights(arrays)
    config = _described(meta)
    at_least = config.vocab_size * config.dim + config.layers * config.mlp_mult * config.dim**2
    if at_least > sum(weight.numel() for weight in found.values()):
        raise ContainerError("the artifact describes a larger model than its arrays can fill; export it again")
    with torch.random.fork_rng(devices=[]):
        model = GPT(config, dtype)
    shapes = {name: parameter.shape for name, parameter in model.named_parameters()}
    if {name: weight.shape for name, weight in found.items()} != shapes:
        raise ContainerError("the artifact's arrays are not those of the model that it describes; export it again")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(found[name])
    return model


def _described(meta: dict[str, Any]) -> ModelConfig:
    try:
        return from_dict({"model": meta["model"]}).model
    except (KeyError, ConfigError) as error:
        raise ContainerError(f"the artifact does not describe a model ({error}); export it again") from error


def _weights(arrays: dict[str, NDArray[Any]]) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = {}
    for name, array in arrays.items():
        if name.endswith(CODES):
            plain = name.removesuffix(CODES)
            scales = arrays.get(plain + SCALES, np.empty(0, np.float16))
            if array.dtype != np.int8 or array.ndim != 2 or scales.dtype != np.float16 or scales.shape != array.shape[:1]:
                raise ContainerError(f"the artifact's codes of {plain} lack their scales; export it again")
            weights[plain] = dequantise(torch.from_numpy(array), torch.from_numpy(scales))
        elif not name.endswith(SCALES):
            weights[name] = torch.from_numpy(array)
    return weights
