"""A model as an artifact and back: every parameter by the route that the registry and the configuration give it.

* matrices and embeddings: integers of so many bits with a scale per row, or floats of 8, 16 or 32 bits
* matrices of ternary blocks: packed codes with a scale per group of columns
* gains and constants: float32

Invariants: every parameter is stored exactly once; the loaded model computes with exactly the dequantised weights; an artifact
describes the shape of its model itself.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from pgolf_ref.config import Config, ExportConfig, ModelConfig, from_dict
from pgolf_ref.errors import ConfigError
from pgolf_ref.model.block import weights_at_least
from pgolf_ref.model.embedder import table_width
from pgolf_ref.model.gpt import GPT
from pgolf_ref.quant.arrays import Arrays, decode, encode, encode_integers
from pgolf_ref.quant.container import ContainerError, read_container, write_container
from pgolf_ref.quant.fit import fit_bits, fit_clips, fit_ones
from pgolf_ref.quant.guidance import Unit, guided
from pgolf_ref.quant.matrices import Matrix, Quantised, quantise_all
from pgolf_ref.quant.routes import Form, method, route
from pgolf_ref.quant.statistics import InputStatistics
from pgolf_ref.registry import Entry, registry

PER_BYTE = 8  # parameters that a byte of an artifact can stand for, at most
ANYTHING = ExportConfig(bits=("all=16",), float8=True, awq=("all=1",), lqer_rank=1, codec="smallest", packing="smallest")
"""An export that may write every form of arrays."""


def export_model(
    model: GPT,
    config: Config,
    statistics: Mapping[str, InputStatistics] | None = None,
    room: int | None = None,
    units: Sequence[Unit] = (),
) -> bytes:
    """The bytes of the artifact; statistics of the inputs of matrices, by name, for the methods that need them.

    `room` in bytes is what `export.fit` makes the artifact fit into; `units` are those whose bits gradients decide.
    """
    chosen = guided(config, units)

    def quantise(wider: float = 1.0) -> Mapping[str, Quantised]:
        return quantised_matrices(model, chosen, statistics or {}, wider)

    def write(codes: Mapping[str, Quantised]) -> bytes:
        return write_quantised(model, chosen, codes)

    def with_fewer_bits(count: int) -> bytes:
        fewer = guided(config, units, count)
        return write_quantised(model, fewer, quantised_matrices(model, fewer, statistics or {}))

    if room is not None and config.export.fit == "bits":
        return fit_bits(with_fewer_bits, len(units), room)
    if room is not None and config.export.fit == "ones":
        return fit_ones(quantise(), write, room)
    if room is not None and config.export.fit == "clips":
        return fit_clips(quantise, write, room)
    return write(quantise())


def quantised_matrices(
    model: GPT, config: Config, statistics: Mapping[str, InputStatistics], wider: float = 1.0
) -> dict[str, Quantised]:
    """Every parameter that is stored as integers; clips are times `wider`."""
    parameters, matrices = dict(model.named_parameters()), []
    for name, entry in registry(model).items():
        way = route(entry, config)
        if way.form is Form.INTEGER:
            weight = parameters[name].detach().to(torch.float32)
            how = method(entry, config.export)
            how = dataclasses.replace(how, clip=how.clip * wider)
            matrices.append(Matrix(name, weight, way.bits, how, statistics.get(name)))
    return quantise_all(matrices, config.export)


def write_quantised(model: GPT, config: Config, quantised: Mapping[str, Quantised]) -> bytes:
    """The artifact of a model whose integers are given; the smallest, where the recipe leaves a choice."""
    export = config.export
    meta = {"model": json.loads(config.model.stated)}
    if export.packing != "smallest":
        return write_container(_arrays(model, config, quantised, export.packing), meta, export.codecs)
    arrays = (_arrays(model, config, quantised, packing) for packing in export.packings)
    return min((write_container(each, meta, export.codecs) for each in arrays), key=len)


def _arrays(model: GPT, config: Config, quantised: Mapping[str, Quantised], packing: str) -> Arrays:
    """All arrays: codes first and scales after them, as neighbours of one kind compress better."""
    codes: Arrays = {}
    rest: Arrays = {}
    parameters = dict(model.named_parameters())
    for name, entry in sorted(registry(model).items(), key=lambda item: item[1].group):
        way = route(entry, config)
        if name in quantised:
            coded, others = encode_integers(quantised[name], way.bits, packing)
        else:
            coded, others = encode(parameters[name].detach().to("cpu", torch.float32), way, config.model, config.export)
        codes |= {name + suffix: array for suffix, array in coded.items()}
        rest |= {name + suffix: array for suffix, array in others.items()}
    return {**codes, **rest}


def load_model(data: bytes, dtype: torch.dtype | None = None) -> GPT:
    """The model in an artifact, on the CPU in float32; `dtype` of activations, None is float32 too."""
    arrays, meta = read_container(data)
    config = _described(meta)
    at_least = config.vocab_size * table_width(config) + weights_at_least(config)
    if at_least > PER_BYTE * sum(array.size for array in arrays.values()):
        raise ContainerError("the artifact describes a larger model than its arrays can fill; export it again")
    return _filled(arrays, config, dtype, ANYTHING)


def restored_model(data: bytes, config: ModelConfig, dtype: torch.dtype | None = None, export: ExportConfig = ANYTHING) -> GPT:
    """The same where model and export are known, as to the run that wrote the artifact."""
    arrays, _ = read_container(data, export.codecs)
    return _filled(arrays, config, dtype, export)


def _filled(arrays: Arrays, config: ModelConfig, dtype: torch.dtype | None, export: ExportConfig) -> GPT:
    """A model with the weights in the arrays, which it takes out, all of them."""
    with torch.random.fork_rng(devices=[]):
        model = GPT(config, dtype)
    with torch.no_grad():
        parameters = dict(model.named_parameters())
        for name, entry in registry(model).items():
            parameters[name].copy_(_decoded(name, arrays, entry, config, export))
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
        bits += ", one bit more or fewer by the gradients of a matrix" if export.guided else ""
        rest = f"Weights are rounded to the nearest of {bits} with one float16 scale per row"
        rest += f"; rounding by role {', '.join(export.rounding)}" if export.rounding else ""
        rest += f"; scales by role {', '.join(export.scales)}" if export.scales else ""
        rest += f"; corrections of rank {export.lqer_rank} for {export.lqer_top} matrices" if export.lqer_rank else ""
    return f"{rest}, matrices of blocks are ternary with one float16 scale per {group} columns" if group else rest


def _decoded(name: str, arrays: Arrays, entry: Entry, model: ModelConfig, export: ExportConfig) -> Tensor:
    """The parameter that the arrays of a name hold, which are taken out of `arrays`."""
    try:
        weight = decode(name, arrays, entry, model, export)
    except (KeyError, IndexError, ValueError, RuntimeError) as error:
        raise ContainerError(
            f"the artifact's arrays of {name} are not those of the model that it describes; export it again"
        ) from error
    if weight.shape != entry.shape:
        raise ContainerError(f"the artifact's {name} has the shape {tuple(weight.shape)}, not {entry.shape}; export it again")
    return weight


def _described(meta: dict[str, Any]) -> ModelConfig:
    try:
        return from_dict({"model": meta["model"]}).model
    except (KeyError, ConfigError) as error:
        raise ContainerError(f"the artifact does not describe a model ({error}); export it again") from error
