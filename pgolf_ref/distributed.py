"""Ranks: who takes part in a run, and the few collectives that training needs.

Invariants: with one rank every collective is the identity; every rank leaves a collective with the same values, so weights
stay equal on all ranks; decisions that depend on a clock are those of rank 0.
"""

import datetime
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn

from pgolf_ref.errors import UserError


@dataclass(frozen=True, slots=True)
class Pending:
    """What a collective will have written to `result`; other work may be done before it is waited for."""

    result: Tensor
    work: Any = None  # of torch.distributed
    source: Tensor | None = None  # has to stay until then

    def wait(self) -> Tensor:
        if self.work is not None:
            self.work.wait()
        return self.result


@dataclass(frozen=True, slots=True)
class World:
    """This process among its peers."""

    rank: int
    size: int
    device: torch.device

    @classmethod
    def single(cls, device: str = "cpu") -> "World":
        return cls(0, 1, _device(device, 0))

    @classmethod
    def from_environment(cls, device: str = "auto") -> "World":
        """Join the group that torchrun describes (RANK, WORLD_SIZE, LOCAL_RANK), or stand alone without it."""
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size == 1:
            return cls.single(device)
        own = _device(device, int(os.environ.get("LOCAL_RANK", "0")))
        if own.type == "cuda":
            torch.cuda.set_device(own)
        # The others wait for rank 0, which may look for an artifact that fits longer than the 10 minutes that NCCL allows.
        distributed.init_process_group("nccl" if own.type == "cuda" else "gloo", timeout=datetime.timedelta(hours=1))
        return cls(distributed.get_rank(), size, own)

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def slots(self, count: int) -> range:
        """The slots of a step that this rank computes: as many as those of any other rank, or one more; none if there are more ranks."""
        return range(self.rank, count, self.size)

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its sum over the ranks, in one exchange."""
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.flatten() for g in gradients])
        distributed.all_reduce(flat)
        parts = flat.split([g.numel() for g in gradients])
        torch._foreach_copy_(gradients, [part.view_as(g) for part, g in zip(parts, gradients, strict=True)])

    def sum(self, value: Tensor) -> Tensor:
        """The sum of `value` over the ranks."""
        if self.size > 1:
            value = value.clone()
            distributed.all_reduce(value)
        return value

    def gather(self, share: Tensor) -> Tensor:
        """(n, ...) of each rank -> (size * n, ...) in rank order."""
        return self.begin_gather(share).wait()

    def begin_gather(self, share: Tensor) -> Pending:
        """(n, ...) of each rank -> (size * n, ...) in rank order, later."""
        if self.size == 1:
            return Pending(share)
        share, everyone = share.contiguous(), share.new_empty(self.size * share.size(0), *share.shape[1:])
        return Pending(everyone, distributed.all_gather_into_tensor(everyone, share, async_op=True), share)

    def begin_scatter_sum(self, values: Tensor) -> Pending:
        """(size * n, ...) of each rank -> this rank's part (n, ...) of their sum, later."""
        if self.size == 1:
            return Pending(values)
        share = values.new_empty(values.size(0) // self.size, *values.shape[1:])
        return Pending(share, distributed.reduce_scatter_tensor(share, values, async_op=True), values)

    def agree(self, value: float) -> float:
        """The value of rank 0."""
        if self.size == 1:
            return value
        shared = torch.tensor(value, dtype=torch.float64, device=self.device)
        distributed.broadcast(shared, src=0)
        return float(shared)

    def close(self) -> None:
        if self.size > 1:
            distributed.destroy_process_group()


def _device(name: str, local_rank: int) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        if not torch.cuda.is_available():
            raise UserError("run.device is cuda, but this machine has no usable GPU: set run.device to cpu or auto")
        return torch.device("cuda", local_rank)
    return torch.device(name)
