"""One seed, from the data to the scored artifact: train, export, reload, score in chunks, sliding and with test-time training.

Invariants: what is scored is the artifact as read back from its file; the last score is the claim; the log gets its name only when
the run is over.
"""

import dataclasses
import math
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from pgolf_ref import log as lines
from pgolf_ref import phases
from pgolf_ref.checkpoint import Checkpoint, Checkpoints, write_weights
from pgolf_ref.clock import Clock
from pgolf_ref.config import Config
from pgolf_ref.config.root import SHORTEST
from pgolf_ref.data.dataset import Dataset, open_dataset
from pgolf_ref.data.loader import Loader
from pgolf_ref.data.prefetch import Prefetching
from pgolf_ref.data.vocabulary import vocabulary
from pgolf_ref.distributed import World
from pgolf_ref.errors import UserError
from pgolf_ref.evaluate.ledger import Score
from pgolf_ref.evaluate.recipe import learns, score_windows, score_with_ttt
from pgolf_ref.files import write_bytes, write_text, writing
from pgolf_ref.fingerprint import fingerprint
from pgolf_ref.log import Audience, Log
from pgolf_ref.memory import memory_line, peak_memory
from pgolf_ref.model.gpt import GPT
from pgolf_ref.model.kernels import chosen
from pgolf_ref.quant.artifact import export_model, format_name, restored_model
from pgolf_ref.quant.calibration import calibrate
from pgolf_ref.quant.guidance import Unit, guided, measured
from pgolf_ref.quant.sources import TrainingWindows, source
from pgolf_ref.quant.statistics import InputStatistics
from pgolf_ref.script import encoded
from pgolf_ref.temperature import fit_temperature
from pgolf_ref.train import TrainResult, train

ACTIVATIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float64": torch.float64}


@dataclass(frozen=True, slots=True)
class SeedResult:
    """The figures of one run, as its log states them."""

    seed: int
    val_loss: float
    val_bpb: float
    artifact_bytes: int
    code_bytes: int
    steps: int
    train_seconds: float
    eval_seconds: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the export knows of the inputs of matrices, by their names, and of which bits gradients decide."""

    statistics: Mapping[str, InputStatistics] = field(default_factory=dict)
    units: tuple[Unit, ...] = ()


def with_seed(config: Config, seed: int, data: str) -> Config:
    """The configuration of one run: its seed decides both the initial weights and the order of the data."""
    run = dataclasses.replace(config.run, seed_init=seed, seed_data=seed)
    return dataclasses.replace(config, run=run, data=dataclasses.replace(config.data, path=data))


def log_name(seed: int) -> str:
    return f"train_seed{seed}.log"


def artifact_name(seed: int) -> str:
    return f"model_seed{seed}.pgolf"


def weights_name(seed: int) -> str:
    return f"weights_seed{seed}.npz"


def ledger_name(seed: int) -> str:
    return f"ledger_seed{seed}.jsonl"


def checkpoint_name(seed: int) -> str:
    return f".checkpoint_seed{seed}.npz"


def remove_checkpoint(out: Path, seed: int, world: World) -> None:
    """Once the results of a seed are kept elsewhere."""
    if world.is_main:
        (out / checkpoint_name(seed)).unlink(missing_ok=True)


def run_seed(
    config: Config, script: str, out: Path, world: World, audience: Audience | None = None, weights: Path | None = None
) -> SeedResult:
    """Run the configuration and leave log, artifact and ledger replay in `out`; `script` is all of its code, which the log
    shows and counts.

    A run that was interrupted goes on from its last checkpoint, which stays until `remove_checkpoint`. The weights before quantisation
    go to the folder `weights`, if one is named. UserError where data cannot be read, and where training or test-time training has diverged.
    """
    clock, seed = Clock(), config.run.seed_init
    with clock.phase(phases.DATA) as reading:
        dataset = open_dataset(Path(config.data.path), config.model.vocab_size, config.data.tokenizer)
        checkpoints = _checkpoints(config, script, dataset, out, world) if config.run.checkpoint_every else None
        resumed = checkpoints.read() if checkpoints is not None else None
        loader = Prefetching(Loader(config), world.slots(config.data.slots))
    log = _open_log(out, seed, resumed, world, audience)
    try:
        if resumed is None:
            _header(log, script, config, dataset)
        phases.tell(reading, log)

        def validate(model: GPT) -> tuple[float, float]:
            score = score_windows(model, dataset, config, config.data.seq_len, world).total()
            return score.loss, score.bpb

        known = vocabulary(dataset.tokenizer)
        trained = train(
            config, loader, clock, log, world=world, validate=validate, vocabulary=known, checkpoints=checkpoints, resumed=resumed
        )
        _tell_memory(log, "training", world)
        if weights is not None and world.is_main:
            write_weights(weights / weights_name(seed), trained.model.named_parameters())
        calibration = _calibrated(trained, loader, config, clock, log, world)
        size = len(encoded(script))
        artifact = _export(trained.model, calibration, config, out / artifact_name(seed), size, clock, log, world)
        for line in lines.size_lines(_label(config, "+"), len(artifact), size):
            log(line)
        if len(artifact) + size > config.export.cap_bytes:
            log(f"over_cap: the submission is {len(artifact) + size - config.export.cap_bytes} bytes over its cap")
        score = _evaluate(artifact, dataset, config, out / ledger_name(seed), clock, log, world)
        seconds = sum(clock.seconds(name) for name in phases.EVALUATION)
        log(f"total_eval_time:{seconds:.1f}s")
        _tell_memory(log, "evaluation", world)
        for line in phases.table(clock.phases):
            log.show(line)
    finally:
        loader.close()
        log.close()
    if world.is_main:
        _name(out, seed)
    loss, bpb = round(score.loss, 8), round(score.bpb, 8)
    return SeedResult(seed, loss, bpb, len(artifact), size, trained.steps, round(trained.seconds, 3), round(seconds, 3))


def _checkpoints(config: Config, script: str, dataset: Dataset, out: Path, world: World) -> Checkpoints:
    run = config.run
    identity = f"{fingerprint(script, dataset)} {run.seed_init} {run.seed_data}"
    return Checkpoints(out / checkpoint_name(run.seed_init), identity, run.checkpoint_every, world)


def _unfinished(out: Path, seed: int) -> Path:
    return out / f".{log_name(seed)}.partial"


def _open_log(out: Path, seed: int, resumed: Checkpoint | None, world: World, audience: Audience | None) -> Log:
    """A new log, or that of the interrupted run as it was at the checkpoint."""
    if not world.is_main:
        return lines.silent()
    path, finished = _unfinished(out, seed), out / log_name(seed)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if resumed is None:
            return Log(path, sys.stdout, audience=audience)
        for kept, named in ((path, finished), (lines.events_path(path), lines.events_path(finished))):
            if not kept.exists():
                os.replace(named, kept)
        return Log(path, sys.stdout, (resumed.reached.log_bytes, resumed.reached.events_bytes), audience)


def _name(out: Path, seed: int) -> None:
    """The log of a finished run gets its name, after its JSON lines."""
    path, finished = _unfinished(out, seed), out / log_name(seed)
    with writing(finished):
        os.replace(lines.events_path(path), lines.events_path(finished))
        os.replace(path, finished)


def _header(log: Log, script: str, config: Config, dataset: Dataset) -> None:
    version = f"Running Python {platform.python_version()}\nRunning PyTorch {torch.__version__}"
    lines.source_header(log, script, version)
    run, data = config.run, config.data
    kind = "pure_byte" if dataset.tokenizer_path.suffix == ".json" else "sentencepiece"
    log(f"val_bpb:enabled tokenizer_kind={kind} tokenizer_path={dataset.tokenizer_path}")
    log(f"train_loader:dataset:{dataset.name} train_shards:{dataset.train_shards}")
    log(f"val_loader:shards pattern={dataset.folder / 'fineweb_val_*.bin'} tokens:{len(dataset.validation) - 1}")
    for line in config.stated:
        log(f"  {line}", shown=False)
    log(
        f"train_batch_tokens:{data.batch_tokens} train_seq_len:{data.seq_len} iterations:{run.steps} "
        f"warmup_steps:{run.warmup_steps} max_wallclock_seconds:{run.budget_seconds:.3f} "
        f"embed_lr:{config.optim.embedding_lr} scalar_lr:{config.optim.scalar_lr}"
    )
    log(f"seed:{run.seed_init}")


def _calibrated(trained: TrainResult, loader: Prefetching, config: Config, clock: Clock, log: Log, world: World) -> Calibration:
    """What the export needs, and the model's temperature, within what training has left of its budget."""
    export, temperature = config.export, config.model.head.temperature
    if not (export.calibrates or export.guided or temperature):
        return Calibration()
    budget, model = config.run.budget_seconds, trained.model
    with phases.timed(clock, log, phases.CALIBRATE, max(budget - trained.seconds, SHORTEST) if budget else 0.0) as phase:
        if temperature:
            log(f"temperature:{fit_temperature(model, TrainingWindows(loader, config), config, phase, world)}")
        tokens = source(model, loader, config)
        units = measured(model, tokens, config, phase, world) if export.guided else ()
        return Calibration(calibrate(model, tokens, guided(config, units), phase, world), units)


def _export(
    model: GPT, calibration: Calibration, config: Config, path: Path, size: int, clock: Clock, log: Log, world: World
) -> bytes:
    """Write the artifact on rank 0, then read it back on every rank; `size` is that of the code beside it."""
    with phases.timed(clock, log, phases.QUANTISE):
        if world.is_main:
            room = config.export.cap_bytes - size
            write_bytes(path, export_model(model, config, calibration.statistics, room, calibration.units))
        world.agree(0.0)
    return path.read_bytes()


def _evaluate(artifact: bytes, dataset: Dataset, config: Config, replay_path: Path, clock: Clock, log: Log, world: World) -> Score:
    """Score the artifact in every way that the recipe asks for; the last is the claim, and its replay is kept."""
    budget, length = config.evaluate.budget_seconds, config.data.seq_len
    with phases.timed(clock, log, phases.EVALUATE, budget) as phase:
        model = restored_model(artifact, config.model, ACTIVATIONS[config.run.dtype], config.export).to(world.device)
        model.use_vocabulary(vocabulary(dataset.tokenizer))
        dtype, documents = ACTIVATIONS[config.run.dtype], config.model.attention.documents
        model.backend = chosen(config.run.attention, world.device.type, dtype, documents)
        ledger = score_windows(model, dataset, config, length, world)
    _report(log, f"{_label(config, '_')}_roundtrip", ledger.total(), phase.seconds)
    if config.evaluate.stride < length:
        with phases.timed(clock, log, phases.SLIDING, budget) as phase:
            ledger = score_windows(model, dataset, config, config.evaluate.stride, world)
        _report(log, f"{format_name(config)}_sliding_window", ledger.total(), phase.seconds)
    if learns(config):
        with phases.timed(clock, log, phases.TTT, budget) as phase:
            ledger = score_with_ttt(model, dataset, config, world)
        _report(log, f"{format_name(config)}_ttt", ledger.total(), phase.seconds)
    if world.is_main:
        write_text(replay_path, ledger.replay())
    return ledger.total()


def _report(log: Log, name: str, score: Score, seconds: float) -> None:
    """The lines of a pass; UserError for a loss that is no number, which is no claim."""
    if not math.isfinite(score.loss):
        raise UserError(f"the pass {name} diverged: its loss is {score.loss}; lower the learning rates of its test-time training")
    for line in lines.final_lines(name, score.loss, score.bpb, seconds):
        log(line)


def _tell_memory(log: Log, after: str, world: World) -> None:
    peaks = peak_memory(world.device)
    log.event("memory", memory_line(peaks), after=after, **peaks)


def _label(config: Config, joint: str) -> str:
    """What the artifact is, such as int6+brotli."""
    return f"{format_name(config)}{joint}{config.export.codec}"
