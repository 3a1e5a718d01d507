"""A training step of a recipe, measured: milliseconds by phase, tokens per second, share of the device's peak, memory.

Whole steps are timed first, as they are; then the same number of steps again, divided into phases. On a GPU the borders of a phase wait
for the device, so that the phases of those steps add up to a little more than a step as it is.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from torch.utils.flop_counter import FlopCounterMode

from pgolf_ref.bench.peak import matmul_peak
from pgolf_ref.config import Config
from pgolf_ref.curriculum import cut, stage
from pgolf_ref.data.dataset import open_dataset
from pgolf_ref.data.loader import Loader
from pgolf_ref.data.prefetch import Prefetching
from pgolf_ref.data.vocabulary import Vocabulary, vocabulary
from pgolf_ref.distributed import World
from pgolf_ref.memory import peak_memory
from pgolf_ref.model.kernels import chosen
from pgolf_ref.run import ACTIVATIONS
from pgolf_ref.train import Trainer, build_model

PHASES = ("data", "forward", "backward", "optimizer")
"""The optimizer sums gradients over the ranks, too."""
UNTIMED = 3
"""Steps before those that are measured."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a step took: `seconds` of each step, `phases` the median seconds of each phase and of the rest of a step."""

    device: str
    dtype: str
    attention: str
    ranks: int
    parameters: int
    tokens: int  # of a step, on all ranks
    seconds: tuple[float, ...]
    phases: dict[str, float]
    flops: int  # multiplications and additions of the matrix products of a step, forward and backward, on all ranks
    peak: float  # of one rank, per second
    memory: dict[str, int]  # bytes at most

    @property
    def step_seconds(self) -> float:
        """The median."""
        return median(self.seconds)

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.step_seconds

    @property
    def share(self) -> float:
        """Of the peak of all ranks, that the matrix products of the model make use of."""
        return self.flops / self.step_seconds / (self.peak * self.ranks)


class Stopwatch:
    """Seconds by phase of the step that is on."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        began = self.now()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + self.now() - began

    def now(self) -> float:
        """Seconds, once the device has done what it was told."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()


def measure(config: Config, world: World, steps: int, fraction: float) -> Measurement:
    """Measure `steps` steps as they are at this fraction of the run. UserError where data or device cannot be used."""
    dataset = open_dataset(Path(config.data.path), config.model.vocab_size, config.data.tokenizer)
    loader = Prefetching(Loader(config), world.slots(config.data.slots))
    try:
        bench = _Bench(config, world, loader, fraction, vocabulary(dataset.tokenizer))
        seconds = tuple(bench.step(number) for number in range(steps))
        return bench.result(seconds, bench.divided(steps))
    finally:
        loader.close()


class _Bench:
    """A trainer whose steps are timed."""

    def __init__(self, config: Config, world: World, loader: Prefetching, fraction: float, words: Vocabulary) -> None:
        self._config, self._world, self._fraction = config, world, fraction
        self._model = build_model(config, world.device)
        documents, dtype = config.model.attention.documents, ACTIVATIONS[config.run.dtype]
        self._model.backend = chosen(config.run.attention, world.device.type, dtype, documents)
        self._model.use_vocabulary(words)
        self._trainer = Trainer(config, self._model, loader, world)
        self._watch = Stopwatch(world.device)
        self._trainer.warm_up()
        self._trainer.take_up(None)
        for number in range(UNTIMED):
            self.step(number)

    def step(self, number: int) -> float:
        """Do a step; its seconds."""
        began = self._watch.now()
        loss = self._trainer.step(number, self._fraction)
        self._trainer.after_step(loss, number + 1, self._fraction)
        return self._watch.now() - began

    def divided(self, steps: int) -> dict[str, float]:
        """The median seconds of each phase, and of the rest."""
        self._trainer.span = self._watch
        found: dict[str, list[float]] = {name: [] for name in (*PHASES, "rest")}
        for number in range(steps):
            self._watch.seconds = {}
            whole = self.step(number)
            for name in PHASES:
                found[name].append(self._watch.seconds.get(name, 0.0))
            found["rest"].append(whole - sum(self._watch.seconds.values()))
        return {name: median(values) for name, values in found.items()}

    def result(self, seconds: tuple[float, ...], phases: dict[str, float]) -> Measurement:
        config, world = self._config, self._world
        memory = peak_memory(world.device)
        return Measurement(
            device=device_name(world.device),
            dtype=config.run.dtype,
            attention=self._model.backend,
            ranks=world.size,
            parameters=sum(parameter.numel() for parameter in self._model.parameters()),
            tokens=self._trainer.tokens(self._fraction),
            seconds=seconds,
            phases=phases,
            flops=self._flops(),
            peak=matmul_peak(world.device, ACTIVATIONS[config.run.dtype]),
            memory=memory,
        )

    def _flops(self) -> int:
        """Counted on one row; attention as if it looked at all pairs of positions, by the usual convention."""
        config, now = self._config, stage(self._config, self._fraction)
        self._model.backend = "math"
        tokens = cut(torch.zeros(1, config.data.seq_len, dtype=torch.int64, device=self._world.device), now.length)
        with FlopCounterMode(display=False, custom_mapping={torch.ops.aten.addmm_: _added_product}) as counter:
            self._trainer.objective(tokens, tokens, torch.tensor(self._fraction, device=self._world.device)).backward()
        return int(counter.get_total_flops()) * now.slots * config.data.rows


def _added_product(out: torch.Size, left: torch.Size, right: torch.Size, **_: object) -> int:
    """Operations of a product that is added to `out` in place, as the gradient of the head is: torch's counter does not know it."""
    return 2 * out.numel() * left[1]


def device_name(device: torch.device) -> str:
    """The GPU, or the number of threads of the CPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} thread(s)"
