"""Ranks as threads of one process: the collectives of a World without the seconds that processes take to start."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from pgolf_ref import train
from pgolf_ref.distributed import Pending, World


@dataclass
class Exchange:
    """A table where every rank lays down a value and takes those of all."""

    size: int
    values: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.values = [None] * self.size
        self.barrier = threading.Barrier(self.size)

    def all(self, rank: int, value: Any) -> list[Any]:
        self.values[rank] = value
        self.barrier.wait(60)
        taken = list(self.values)
        self.barrier.wait(60)
        return taken


class ThreadWorld(World):
    """One of the ranks of an exchange."""

    __slots__ = ("exchange",)

    def __init__(self, rank: int, exchange: Exchange) -> None:
        super().__init__(rank, exchange.size, torch.device("cpu"))
        object.__setattr__(self, "exchange", exchange)

    def sum(self, value: Tensor) -> Tensor:
        return torch.stack(self.exchange.all(self.rank, value.clone())).sum(0, dtype=value.dtype)

    def gather(self, share: Tensor) -> Tensor:
        return torch.cat(self.exchange.all(self.rank, share))

    def begin_gather(self, share: Tensor) -> Pending:
        return Pending(self.gather(share))

    def begin_scatter_sum(self, values: Tensor) -> Pending:
        return Pending(self.sum(values).tensor_split(self.size)[self.rank].clone())

    def agree(self, value: float) -> float:
        shared: float = self.exchange.all(self.rank, value)[0]
        return shared

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad = self.sum(parameter.grad)


def one_at_a_time(lock: threading.Lock, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function for threads that share what it draws its random numbers from."""

    def locked(*args: Any, **keywords: Any) -> Any:
        with lock:
            return function(*args, **keywords)

    return locked


def on_ranks(size: int, work: Callable[[World], Any]) -> list[Any]:
    """What `work` returns on each of so many ranks."""
    lock, builders = threading.Lock(), ("build_model", "build_objective")
    with patch.multiple(train, **{name: one_at_a_time(lock, getattr(train, name)) for name in builders}):
        return _on_ranks(size, work)


def _on_ranks(size: int, work: Callable[[World], Any]) -> list[Any]:
    exchange, results, errors = Exchange(size), [None] * size, []

    def run(rank: int) -> None:
        try:
            results[rank] = work(ThreadWorld(rank, exchange))
        except BaseException as error:  # noqa: BLE001  (handed to the caller)
            exchange.barrier.abort()
            errors.append(error)

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results
