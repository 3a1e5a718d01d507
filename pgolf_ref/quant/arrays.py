"""One parameter as named arrays of an artifact and back, by its route.

    NAME                                   float32 or float16, kept
    NAME:float8                            bits of 8-bit floats
    NAME:codes | NAME:bits2 ... bits8      integers, a byte each or without gaps
    NAME:order                             the rows of the codes are stored in this order, and the codes by columns
    NAME:columns                           factors of the columns of integers
    NAME:scales                            of rows, or of the groups of ternary codes
    NAME:left, :left_scales, :right, :right_scales      a correction of low rank
    NAME:base3 | NAME:bitmask              ternary codes

Invariant: `decode` takes out of the arrays exactly what `encode` makes of a parameter, and refuses anything else with ValueError,
KeyError, IndexError or RuntimeError.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pgolf_ref.config import ExportConfig, ModelConfig
from pgolf_ref.errors import UserError
from pgolf_ref.quant.bits import pack_bits, unpack_bits
from pgolf_ref.quant.low_rank import Correction
from pgolf_ref.quant.matrices import Quantised
from pgolf_ref.quant.order import similar_rows
from pgolf_ref.quant.routes import Form, Route
from pgolf_ref.quant.ternary import PACKERS, latent, pack_smallest, ternarise
from pgolf_ref.registry import Entry

CODES, SCALES, COLUMNS, FLOAT8, ORDER, BITS = ":codes", ":scales", ":columns", ":float8", ":order", ":bits"
CORRECTION = (":left", ":left_scales", ":right", ":right_scales")

Arrays = dict[str, NDArray[Any]]


def encode(weight: Tensor, way: Route, model: ModelConfig, export: ExportConfig) -> tuple[Arrays, Arrays]:
    """The arrays of codes and the others of a parameter that is not stored as integers, by the suffix of their names."""
    if way.form is Form.KEPT:
        return {}, {"": weight.numpy()}
    if export.halves and way.form is Form.HALF:
        return {}, {"": half(_finite(weight.to(torch.float16)))}
    if model.ternary_group and way.form is Form.TERNARY:
        codes, scales = ternarise(weight, model.ternary_group)
        packing, data = pack_smallest(codes.to(torch.int8).numpy())
        return {f":{packing}": np.frombuffer(data, dtype=np.uint8)}, {SCALES: half(scales)}
    if export.float8 and way.form is Form.FLOAT8:
        return {FLOAT8: weight.to(torch.float8_e4m3fn).view(torch.uint8).numpy()}, {}
    raise ValueError(f"parameters of form {way.form} are not encoded here")


def encode_integers(quantised: Quantised, bits: int, packing: str) -> tuple[Arrays, Arrays]:
    """The arrays of codes and the others of a matrix of integers; `packing` is one of the configuration, but not "smallest"."""
    codes, rest = quantised.codes.numpy(), {SCALES: half(quantised.scales)}
    if quantised.columns is not None:
        rest[COLUMNS] = half(quantised.columns)
    if quantised.correction is not None:
        c = quantised.correction
        given = (c.left.numpy(), half(c.left_scales), c.right.numpy(), half(c.right_scales))
        rest |= dict(zip(CORRECTION, given, strict=True))
    if packing == "bits":
        return {f"{BITS}{bits}": np.frombuffer(pack_bits(codes, bits), dtype=np.uint8)}, rest
    if packing == "ordered" and 1 < len(codes) <= np.iinfo(np.uint16).max:
        order = similar_rows(codes)
        return {CODES: np.ascontiguousarray(codes[order].T)}, {**rest, ORDER: order}
    return {CODES: codes}, rest


def decode(name: str, arrays: Arrays, entry: Entry, model: ModelConfig, export: ExportConfig) -> Tensor:
    """float32, of the shape that the arrays have; `export` is what may have written them."""
    if name in arrays or len(entry.shape) != 2:
        return _taken(arrays, name, np.float32, np.float16).to(torch.float32)
    packing = next((packing for packing in PACKERS if f"{name}:{packing}" in arrays), None) if model.ternary_group else None
    if packing is not None:
        data = _taken(arrays, f"{name}:{packing}", np.uint8).numpy().tobytes()
        codes = torch.from_numpy(PACKERS[packing][1](data, entry.count)).view(entry.shape)
        scales = _taken(arrays, name + SCALES, np.float16).view(entry.shape[0], -1)
        return latent(codes.to(torch.float32), scales.to(torch.float32), model.ternary_group)
    if export.float8 and name + FLOAT8 in arrays:
        return _taken(arrays, name + FLOAT8, np.uint8).view(torch.float8_e4m3fn).to(torch.float32)
    codes, scales = _codes(name, arrays, entry, export), _taken(arrays, name + SCALES, np.float16)
    if codes.shape[:1] != scales.shape:
        raise ValueError("a scale per row is expected")
    columns = _taken(arrays, name + COLUMNS, np.float16) if export.awq and name + COLUMNS in arrays else None
    if columns is not None and columns.shape != codes.shape[1:]:
        raise ValueError("a factor per column is expected")
    return Quantised(codes, scales, columns, _correction(name, arrays) if export.lqer_rank else None).expanded()


def _codes(name: str, arrays: Arrays, entry: Entry, export: ExportConfig) -> Tensor:
    for bits in range(2, 9) if "bits" in export.packings else ():
        if f"{name}{BITS}{bits}" in arrays:
            data = _taken(arrays, f"{name}{BITS}{bits}", np.uint8).numpy().tobytes()
            return torch.from_numpy(unpack_bits(data, bits, entry.count)).view(entry.shape)
    codes = _taken(arrays, name + CODES, np.int8)
    if "ordered" not in export.packings or name + ORDER not in arrays:
        return codes
    order = _taken(arrays, name + ORDER, np.uint16).to(torch.int64)
    if not torch.equal(order.sort().values, torch.arange(codes.size(1))):
        raise ValueError("an order names every row once")
    return codes.mT[order.argsort()].contiguous()


def _correction(name: str, arrays: Arrays) -> Correction | None:
    if name + CORRECTION[0] not in arrays:
        return None
    kinds = (np.int8, np.float16, np.int8, np.float16)
    return Correction(*(_taken(arrays, name + suffix, kind) for suffix, kind in zip(CORRECTION, kinds, strict=True)))


def half(values: Tensor) -> NDArray[np.float16]:
    """What is stored is float16 also where a run without halves, as on a simulated device, lets torch compute in float32."""
    return values.numpy().astype(np.float16)


def _finite(weight: Tensor) -> Tensor:
    if not torch.isfinite(weight).all():
        raise UserError("a weight is not finite or too large for a float16: the model has diverged and cannot be exported")
    return weight


def _taken(arrays: Arrays, name: str, *dtypes: type[np.generic]) -> Tensor:
    array = arrays.pop(name)
    if array.dtype not in dtypes:
        raise ValueError(f"{name} is of type {array.dtype}")
    return torch.from_numpy(array)
