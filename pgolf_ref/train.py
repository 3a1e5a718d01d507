"""Training: a loop over steps that ends when the steps or the seconds are used up.

Invariants: the batch of (step, slot) is the same for any number of ranks; the gradient of a step is the mean over its slots,
summed over the ranks; every rank ends with the same weights; validation time is not training time.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from pgolf_ref import log as lines
from pgolf_ref.clock import Clock, Phase
from pgolf_ref.config import Config, RunConfig
from pgolf_ref.data.vocabulary import Vocabulary
from pgolf_ref.distributed import World
from pgolf_ref.errors import UserError
from pgolf_ref.log import Log
from pgolf_ref.losses.objective import Objective
from pgolf_ref.model.gpt import GPT
from pgolf_ref.model.initialise import initialise, needs_tokens
from pgolf_ref.model.kernels import chosen, described
from pgolf_ref.optim.ema import WeightAverage
from pgolf_ref.optim.groups import Optimizers
from pgolf_ref.optim.schedule import lr_multiplier, momentum, progress


class Loader(Protocol):
    """Batches by number, in any order and as often as wanted."""

    def batch(self, step: int, slot: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets, int64 (B, T) each."""


# Small slots share a forward pass up to this many tokens: fewer, larger operations, and still in a CPU's cache.
PASS_TOKENS = 4096

Validate = Callable[[GPT], tuple[float, float]]  # -> loss in nats per token, bits per byte


@dataclass(frozen=True, slots=True)
class TrainResult:
    """The trained model (its weight average, if the recipe has one), steps done and seconds counted."""

    model: GPT
    steps: int
    seconds: float


def build_model(config: Config, device: torch.device) -> GPT:
    """A fresh model whose weights depend on the configuration and `run.seed_init` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.run.seed_init)
        model = GPT(config.model, _activation_dtype(config.run))
    return model.to(device, _parameter_dtype(config.run))


def build_objective(model: GPT, config: Config) -> Objective:
    """The loss of a model with fresh auxiliary heads, which depend on the configuration and `run.seed_init` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.run.seed_init)
        return Objective(model, config.losses).to(next(model.parameters()).device, _parameter_dtype(config.run))


def train(
    config: Config,
    loader: Loader,
    clock: Clock,
    log: Log,
    *,
    world: World | None = None,
    validate: Validate | None = None,
    vocabulary: Vocabulary | None = None,
) -> TrainResult:
    """Train from scratch. Without `world` this process trains alone on the device that the configuration names.

    Some techniques need the vocabulary, and say so where it is missing.
    """
    world = world or World.single(config.run.device)
    model = build_model(config, world.device)
    documents = config.model.attention.documents
    model.backend = chosen(config.run.attention, world.device.type, _activation_dtype(config.run), documents)
    if vocabulary is not None:
        model.use_vocabulary(vocabulary)
    log(f"model_params:{sum(p.numel() for p in model.parameters())}")
    log(f"world_size:{world.size} grad_accum_steps:{config.data.slots // world.size}")
    log(described(model.backend, documents))
    log(f"seed:{config.run.seed_init} seed_data:{config.run.seed_data}")
    trainer = _Trainer(config, model, loader, world)
    trainer.warm_up()
    with clock.phase("train", config.run.budget_seconds) as phase:
        trainer.begin()
        steps = _loop(trainer, phase, log, validate)
        trainer.finish()
    log(lines.phase_line(phase.name, phase.seconds, phase.budget))
    return TrainResult(model, steps, phase.seconds)


def _loop(trainer: "_Trainer", phase: Phase, log: Log, validate: Validate | None) -> int:
    run = trainer.config.run
    step, fraction = 0, 0.0

    def report() -> None:
        if validate is not None:
            with phase.paused():
                loss, bpb = validate(trainer.model)
            log(lines.validation_line(step, run.steps, loss, bpb, phase.seconds))

    while fraction < 1.0:
        if run.validate_every and step % run.validate_every == 0:
            report()
        loss = trainer.step(step, fraction)
        step += 1
        fraction = trainer.world.agree(progress(step, run.steps, phase.seconds, phase.budget))
        trainer.average(fraction)
        if step <= 10 or step % run.log_every == 0 or fraction == 1.0:
            log(lines.train_line(step, run.steps, trainer.mean_loss(loss, step), phase.seconds))
    if step < run.steps:
        log(lines.stop_line(step, run.steps, phase.seconds))
    report()
    return step


class _Trainer:
    """What a step changes, and how."""

    def __init__(self, config: Config, model: GPT, loader: Loader, world: World) -> None:
        self.config = config
        self.model = model
        self.world = world
        self._loader = loader
        slots, joined = world.slots(config.data.slots), max(1, PASS_TOKENS // (config.data.rows * config.data.seq_len))
        self._passes = [slots[i : i + joined] for i in range(0, len(slots), joined)]
        self._objective = build_objective(model, config)
        self._fraction = torch.zeros((), dtype=_parameter_dtype(config.run), device=world.device)
        self._optimizers = Optimizers(self._objective, config.optim, world)
        self._average: WeightAverage | None = None
        self._loss = torch.compile(self._objective, dynamic=False) if config.run.compile else self._objective

    def warm_up(self) -> None:
        """Forward and backward passes on constant tokens, which compile what there is to compile and change nothing."""
        data = self.config.data
        tokens = torch.zeros(data.rows * len(self._passes[0]), data.seq_len, dtype=torch.int64, device=self.world.device)
        for phase in self.model.phases:
            self.model.begin(phase.start)
            for _ in range(self.config.run.warmup_steps):
                self._loss(tokens, tokens, self._fraction).backward()
        self._optimizers.zero_grad()

    def begin(self) -> None:
        """Set the weights that are computed from training tokens, those of the first steps on every rank; the average starts there."""
        data, model = self.config.data, self.config.model
        if needs_tokens(model):
            count = -(-model.embedding.init_tokens // (data.rows * data.seq_len))
            batches = [self._loader.batch(*divmod(number, data.slots))[0] for number in range(count)]
            initialise(self.model, torch.cat(batches).to(self.world.device), self.config.run.seed_init)
        horizon = self.config.optim.ema_horizon
        self._average = WeightAverage(self.model.parameters(), horizon) if horizon > 0 else None

    def step(self, step: int, fraction: float) -> Tensor:
        """One optimizer step; the loss summed over this rank's slots, divided by the number of all slots."""
        total = torch.zeros((), device=self.world.device)
        self._fraction.fill_(fraction)
        self.model.begin(fraction)
        for slots in self._passes:
            batches = zip(*(self._loader.batch(step, slot) for slot in slots), strict=True)
            tokens, targets = (torch.cat(rows).to(self.world.device, non_blocking=True) for rows in batches)
            loss = self._loss(tokens, targets, self._fraction) * (len(slots) / self.config.data.slots)
            loss.backward()
            total += loss.detach()
        self._fill_gradients()
        self.world.sum_gradients(self._objective.parameters())
        self._optimizers.step(lr_multiplier(fraction, self.config.optim), momentum(fraction, self.config.optim))
        self._optimizers.zero_grad()
        return total

    def average(self, fraction: float) -> None:
        if self._average:
            self._average.update(fraction)

    def _fill_gradients(self) -> None:
        """Parameters that this phase of the plan does not use stay where they are."""
        for parameter in self._objective.parameters():
            if parameter.requires_grad and parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)

    def finish(self) -> None:
        self.model.begin(1.0)
        if self._average:
            self._average.store()

    def mean_loss(self, loss: Tensor, step: int) -> float:
        """The loss of a step over all ranks; a run that has diverged ends here."""
        value = float(self.world.sum(loss))
        if not math.isfinite(value):
            raise UserError(f"training diverged: the loss of step {step} is {value}; lower the learning rates of the recipe")
        return value


def _parameter_dtype(run: RunConfig) -> torch.dtype:
    return torch.float64 if run.dtype == "float64" else torch.float32


def _activation_dtype(run: RunConfig) -> torch.dtype:
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float64": torch.float64}[run.dtype]
