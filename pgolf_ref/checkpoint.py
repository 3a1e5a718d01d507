"""A training run on disk: everything that its next step depends on, in one file of arrays without pickle.

Invariants: the file is that of a whole step or of none, whenever the process ends; what is read back is bit by bit what was
written; a checkpoint of other code, configuration, seed or data is refused; the file does not depend on the number of ranks.
"""

import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pgolf_ref.distributed import World
from pgolf_ref.errors import UserError
from pgolf_ref.files import whole_file

META = "meta"


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a run is: steps done, fraction of the run, seconds counted, bytes of its log and of its JSON lines."""

    step: int = 0
    fraction: float = 0.0
    seconds: float = 0.0
    log_bytes: int = 0
    events_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A run after a whole step; tensors by name, which lie on the CPU."""

    reached: Reached
    tensors: dict[str, Tensor]


class Checkpoints:
    """The checkpoint file of one run; rank 0 writes it, every rank reads it."""

    def __init__(self, path: Path, identity: str, every: int, world: World) -> None:
        self._path, self._identity, self._every, self._world = path, identity, every, world

    def read(self) -> Checkpoint | None:
        """The last checkpoint, or None where the run begins."""
        try:
            with self._path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                arrays = dict(file)
            meta = json.loads(arrays.pop(META).tobytes())
            found, reached = meta["identity"], Reached(**meta["reached"])
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise UserError(f"{self._path} is no checkpoint ({error}): delete it to start the run anew") from error
        if found != self._identity:
            raise UserError(
                f"{self._path} is of another configuration, code or data: name another folder, or delete it to start the run anew"
            )
        return Checkpoint(reached, {name: torch.from_numpy(array) for name, array in arrays.items()})

    def due(self, step: int, ended: bool) -> bool:
        """Every so many steps, and after the last one."""
        return self._every > 0 and (ended or step % self._every == 0)

    def write(self, reached: Reached, tensors: Mapping[str, Tensor]) -> None:
        if self._world.is_main:
            meta: dict[str, Any] = {"identity": self._identity, "reached": asdict(reached)}
            arrays = {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}
            arrays[META] = np.frombuffer(json.dumps(meta).encode("ascii"), dtype=np.uint8)
            with whole_file(self._path) as file:
                np.savez(file, **arrays)


def write_weights(path: Path, weights: Iterable[tuple[str, Tensor]]) -> None:
    """The weights that a run trained, by name, in a file of their own."""
    with whole_file(path) as file:
        np.savez(file, **{name: weight.detach().to("cpu", torch.float32).numpy() for name, weight in weights})


def read_weights(path: Path) -> dict[str, Tensor]:
    """Those of `write_weights`; UserError for any other file."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return {name: torch.from_numpy(file[name].astype(np.float32)) for name in file.files}
    except (OSError, EOFError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} holds no weights ({error}): name a file that `pgolf-train run --weights` wrote") from error


def random_state(device: torch.device) -> dict[str, Tensor]:
    """The generators that a step may draw from."""
    state = {"cpu": torch.get_rng_state()}
    return state | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def restore_random_state(state: Mapping[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that `prefixed` gave this prefix, by their own names."""
    start = f"{prefix}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
