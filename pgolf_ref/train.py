"""Training: a loop over steps that ends when the steps or the seconds are used up.

Invariants: the batch of (step, slot) is the same for any number of ranks; the gradient of a step is the mean over its slots,
summed over the ranks; every rank ends with the same weights; validation time is not training time; a run that goes on from a
checkpoint ends with the weights of one that was never interrupted.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from pgolf_ref import log as lines
from pgolf_ref import phases
from pgolf_ref.checkpoint import Checkpoint, Checkpoints, Reached, prefixed, random_state, restore_random_state, under
from pgolf_ref.clock import Clock, Phase
from pgolf_ref.config import Config, RunConfig
from pgolf_ref.curriculum import Stage, cut, stage, starts
from pgolf_ref.data.vocabulary import Vocabulary
from pgolf_ref.distributed import World
from pgolf_ref.divergence import Diverged, Guard
from pgolf_ref.log import Log
from pgolf_ref.losses.objective import Objective
from pgolf_ref.model.gpt import GPT
from pgolf_ref.model.initialise import initialise, needs_tokens
from pgolf_ref.model.kernels import chosen, described
from pgolf_ref.optim.averages import Averages
from pgolf_ref.optim.freezing import Freezer, frozen_blocks
from pgolf_ref.optim.groups import Optimizers
from pgolf_ref.optim.meta_step import MetaStep
from pgolf_ref.optim.plateau import Plateau
from pgolf_ref.optim.qat import RoundedMatrices
from pgolf_ref.optim.schedule import Place, Rates, progress, rates


class Loader(Protocol):
    """Batches by number, in any order and as often as wanted."""

    def batch(self, step: int, slot: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets, int64 (B, T) each."""


# Small slots share a forward pass up to this many tokens: fewer, larger operations, and still in a CPU's cache.
PASS_TOKENS = 4096

Validate = Callable[[GPT], tuple[float, float]]  # -> loss in nats per token, bits per byte
Span = Callable[[str], AbstractContextManager[object]]  # a part of a step by its name: data, forward, backward, optimizer


def unmeasured(name: str) -> AbstractContextManager[object]:
    """A part of a step that nobody times."""
    return nullcontext()


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
    checkpoints: Checkpoints | None = None,
    resumed: Checkpoint | None = None,
) -> TrainResult:
    """Train from scratch, or go on from `resumed`. Without `world` this process trains alone on the device that the configuration names.

    Some techniques need the vocabulary, and say so where it is missing.
    """
    world = world or World.single(config.run.device)
    model = build_model(config, world.device)
    documents = config.model.attention.documents
    model.backend = chosen(config.run.attention, world.device.type, _activation_dtype(config.run), documents)
    if vocabulary is not None:
        model.use_vocabulary(vocabulary)
    trainer = Trainer(config, model, loader, world)
    _describe(log, config, model, world, resumed)
    with phases.timed(clock, log, phases.WARM_UP):
        trainer.warm_up()
    with phases.timed(clock, log, phases.TRAIN, config.training_seconds) as phase:
        trainer.take_up(resumed.tensors if resumed else None)
        reached = resumed.reached if resumed else Reached()
        phase.resume(reached.seconds)
        try:
            steps = _Loop(trainer, config.run, phase, log, validate, checkpoints).run(reached)
        except Diverged as error:
            log.event("diverged", str(error), step=error.step)
            raise
    with phases.timed(clock, log, phases.AVERAGE) as averaging:
        trainer.finish()
    return TrainResult(model, steps, phase.seconds + averaging.seconds)


def _describe(log: Log, config: Config, model: GPT, world: World, resumed: Checkpoint | None) -> None:
    """What a reader of the log wants to know before the first step."""
    if resumed:
        log.event("resumed", f"resumed: step:{resumed.reached.step}/{config.run.steps}", step=resumed.reached.step)
        return
    log(f"model_params:{sum(p.numel() for p in model.parameters())}")
    log(f"world_size:{world.size} grad_accum_steps:{-(-config.data.slots // world.size)}")
    log(described(model.backend, config.model.attention.documents))
    log(f"seed:{config.run.seed_init} seed_data:{config.run.seed_data}")


class _Loop:
    """Steps with what is reported and kept between them."""

    def __init__(
        self,
        trainer: "Trainer",
        run: RunConfig,
        phase: Phase,
        log: Log,
        validate: Validate | None,
        checkpoints: Checkpoints | None,
    ) -> None:
        self._trainer, self._run, self._phase, self._log = trainer, run, phase, log
        self._validate, self._checkpoints = validate, checkpoints

    def run(self, reached: Reached) -> int:
        """All steps from there to the end of the run; returns how many the run has."""
        step, fraction, run = reached.step, reached.fraction, self._run
        while fraction < 1.0:
            if run.validate_every and step % run.validate_every == 0:
                self._report(step)
            started = fraction
            loss = self._trainer.step(step, fraction)
            tokens = self._trainer.tokens(started)
            step += 1
            seconds = self._phase.seconds
            fraction = self._trainer.world.agree(progress(step, run.steps, seconds, self._phase.budget))
            self._trainer.after_step(loss, step, fraction)
            self._log.tell("step", step=step, steps=run.steps, fraction=fraction, seconds=seconds, tokens=tokens)
            if step <= 10 or step % run.log_every == 0 or fraction == 1.0:
                self._tell(step, started, loss)
            self._keep(step, fraction)
        self._trainer.refuse_weights(step)
        if step < run.steps:
            self._log(lines.stop_line(step, run.steps, self._phase.seconds))
        self._report(step)
        return step

    def _tell(self, step: int, fraction: float, loss: Tensor) -> None:
        mean, seconds = self._trainer.mean_loss(loss, step, fraction), self._phase.seconds
        rate = self._trainer.rates(step - 1, fraction).lr
        line = lines.train_line(step, self._run.steps, mean, seconds)
        norm = self._trainer.gradient_norm
        self._log.event("train", line, step=step, loss=mean, seconds=seconds, lr_multiplier=rate, gradient_norm=norm)

    def _report(self, step: int) -> None:
        if self._validate is not None:
            with self._phase.paused():
                loss, bpb = self._validate(self._trainer.model)
            line = lines.validation_line(step, self._run.steps, loss, bpb, self._phase.seconds)
            self._log.event("validation", line, step=step, loss=loss, bpb=bpb, seconds=self._phase.seconds)

    def _keep(self, step: int, fraction: float) -> None:
        if self._checkpoints and self._checkpoints.due(step, fraction == 1.0):
            self._trainer.guard.look(step)
            state = self._trainer.state_dict()
            self._checkpoints.write(Reached(step, fraction, self._phase.seconds, *self._log.size), state)


class Trainer:
    """What a step changes, and how."""

    def __init__(self, config: Config, model: GPT, loader: Loader, world: World) -> None:
        self.config = config
        self.model = model
        self.world = world
        self._steps = config.run.steps
        self._loader = loader
        self.span: Span = unmeasured
        self.objective = build_objective(model, config)
        self._fraction = torch.zeros((), dtype=_parameter_dtype(config.run), device=world.device)
        self._optimizers = Optimizers(self.objective, config.optim, world)
        self._averages = Averages(self.model.parameters(), config.optim)
        self._freezer = Freezer(model) if config.curriculum.unfreeze else None
        self._matrices = RoundedMatrices(model, config) if config.optim.qat_from < 1 else None
        self._meta = MetaStep(model, config, loader, world) if config.meta.every else None
        self._plateau = Plateau(config.optim.plateau, config.optim.plateau_gain, world) if config.optim.plateau else None
        self.guard = Guard(config.model.vocab_size, world)
        self._loss = torch.compile(self.objective, dynamic=False) if config.run.compile else self.objective

    def warm_up(self) -> None:
        """Forward and backward passes on constant tokens, which compile what there is to compile and change nothing."""
        data = self.config.data
        for start in starts(self.config) if self.config.run.warmup_steps else ():
            self.model.begin(start)
            now = stage(self.config, start)
            for size in {len(slots): None for slots in self._passes(now)}:
                tokens = torch.zeros(size * data.rows, data.seq_len, dtype=torch.int64, device=self.world.device)
                for _ in range(self.config.run.warmup_steps):
                    self._loss(cut(tokens, now.length), cut(tokens, now.length), self._fraction).backward()
        self._optimizers.zero_grad()

    def take_up(self, state: Mapping[str, Tensor] | None) -> None:
        """Set what a run begins with: the state of a checkpoint, or weights of which some are computed from training tokens.

        The tokens are those of the first steps on every rank. A new average starts at these weights.
        """
        if state is None:
            self._initialise()
        self._averages = Averages(self.model.parameters(), self.config.optim)
        if state is not None:
            self._load_state_dict(state)

    def _initialise(self) -> None:
        data, model = self.config.data, self.config.model
        if needs_tokens(model):
            count = -(-model.embedding.init_tokens // (data.rows * data.seq_len))
            batches = [self._loader.batch(*divmod(number, data.slots))[0] for number in range(count)]
            initialise(self.model, torch.cat(batches).to(self.world.device), self.config.run.seed_init)

    def state_dict(self) -> dict[str, Tensor]:
        """What the next step depends on beside its batch; every rank has to ask."""
        state = prefixed("weights", dict(self.objective.named_parameters()))
        state |= prefixed("optimizers", self._optimizers.state_dict())
        state |= prefixed("average", self._averages.state_dict())
        state |= prefixed("plateau", self._plateau.state_dict() if self._plateau else {})
        state |= prefixed("meta", self._meta.state_dict() if self._meta else {})
        return state | prefixed("random", random_state(self.world.device))

    @torch.no_grad()
    def _load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        for name, parameter in self.objective.named_parameters():
            parameter.copy_(state[f"weights.{name}"])
        self._optimizers.load_state_dict(under("optimizers", state))
        self._averages.load_state_dict(under("average", state))
        if self._plateau:
            self._plateau.load_state_dict(under("plateau", state))
        if self._meta:
            self._meta.load_state_dict(under("meta", state))
        restore_random_state(under("random", state), self.world.device)

    def step(self, step: int, fraction: float) -> Tensor:
        """One optimizer step; the loss summed over this rank's slots, divided by the number of all slots."""
        self._fraction.fill_(fraction)
        self.model.begin(fraction)
        with self._matrices.rounded(fraction) if self._matrices else nullcontext():
            total = self._gradients(step, stage(self.config, fraction))
        if self._meta:
            self._meta.add_gradients(step, fraction, stage(self.config, fraction))
        self._fill_gradients()
        now = self.rates(step, fraction)
        with self._frozen(fraction):
            with self.span("optimizer"):
                norm = self._optimizers.step(now.lr, now.momentum, now.decay)
            if self._meta:
                self._meta.move(step, fraction, stage(self.config, fraction))
        self._optimizers.zero_grad()
        self.guard.take(total, norm)
        return total

    def _frozen(self, fraction: float) -> AbstractContextManager[None]:
        """Holds the blocks that do not learn yet."""
        if self._freezer is None:
            return nullcontext()
        return self._freezer.held(frozen_blocks(fraction, self.config.curriculum.unfreeze, self.config.model.layers))

    def _gradients(self, step: int, now: Stage) -> Tensor:
        """Add up the gradients of this rank's slots; the loss of `step`."""
        total = torch.zeros((), device=self.world.device)
        for slots in self._passes(now):
            with self.span("data"):
                batches = zip(*(self._loader.batch(step, slot) for slot in slots), strict=True)
                tokens, targets = (cut(torch.cat(rows), now.length).to(self.world.device, non_blocking=True) for rows in batches)
            with self.span("forward"):
                loss = self._loss(tokens, targets, self._fraction) * (len(slots) / now.slots)
            with self.span("backward"):
                loss.backward()
            total += loss.detach()
        return total

    def _passes(self, now: Stage) -> list[range]:
        """This rank's slots, those of one forward pass together."""
        data, slots = self.config.data, self.world.slots(now.slots)
        joined = max(1, PASS_TOKENS // (data.rows * data.seq_len))
        return [slots[i : i + joined] for i in range(0, len(slots), joined)]

    def rates(self, step: int, fraction: float) -> Rates:
        """Of the step that begins after `step` steps, at this fraction of the run."""
        since = self._plateau.since if self._plateau else None
        return rates(Place(step, self._steps, fraction), self.config.optim, since)

    def after_step(self, loss: Tensor, step: int, fraction: float) -> None:
        """Take in the weights and the loss of the last of so many steps."""
        self._averages.update(step, fraction)
        if self._plateau:
            self._plateau.update(loss, fraction)

    def _fill_gradients(self) -> None:
        """Parameters that this phase of the plan does not use stay where they are."""
        for parameter in self.objective.parameters():
            if parameter.requires_grad and parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)

    def finish(self) -> None:
        self.model.begin(1.0)
        self._averages.store()

    def tokens(self, fraction: float) -> int:
        """Trained on by a step that begins at this fraction of the run, on all ranks."""
        return stage(self.config, fraction).slots * self.config.data.rows * self.config.data.seq_len

    @property
    def gradient_norm(self) -> float:
        """Of the last step, before clipping."""
        return float(self.guard.norm)

    def mean_loss(self, loss: Tensor, step: int, fraction: float) -> float:
        """The loss of a step over all ranks; a run that has diverged ends here."""
        self.guard.look(step)
        value = float(self.world.sum(loss))
        self.guard.refuse_spike(step, fraction, value)
        return value

    def refuse_weights(self, step: int) -> None:
        """End a run whose last step has left no numbers."""
        self.guard.refuse_weights(step, [*self.objective.parameters()])


def _parameter_dtype(run: RunConfig) -> torch.dtype:
    return torch.float64 if run.dtype == "float64" else torch.float32


def _activation_dtype(run: RunConfig) -> torch.dtype:
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float64": torch.float64}[run.dtype]
