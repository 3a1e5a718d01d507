"""The recipe `sp8192`, scaled down, and the script of PR 1493 from the same initial weights on the same batches: losses step by step.

    python -m bench.same_weights SCRIPT DATA_FOLDER [--steps 40]

SCRIPT is the decoded script, in the grammar of this Python; it is executed in memory on stubs of CUDA and never stored. Writes
same_weights.md beside this file. What differs is rounding alone, in float32 and on this CPU.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent))

from against_official import DrawnOrder, validation_loss
from pairs import PAIRS, Setting

from pgolf_ref.bench.script import builtins_with, flash_attention, torch_without_cuda
from pgolf_ref.config import Config, load_recipe
from pgolf_ref.distributed import World
from pgolf_ref.model.gpt import GPT
from pgolf_ref.train import Trainer, build_model

HERE = Path(__file__).resolve().parent
PAIR = PAIRS["sp8192"]
NAMES = {
    "attention_scale": "attn_scale",
    "mlp_scale": "mlp_scale",
    "resid_mix": "resid_mix",
    "attention.query": "attn.c_q.weight",
    "attention.key": "attn.c_k.weight",
    "attention.value": "attn.c_v.weight",
    "attention.out": "attn.proj.weight",
    "attention.gain": "attn.q_gain",
    "mlp.up": "mlp.fc.weight",
    "mlp.down": "mlp.proj.weight",
    "embedding.table": "tok_emb.weight",
    "skips.weight": "skip_weights",
    "skips.gate": "skip_gates",
}


@dataclass(frozen=True)
class Step:
    """The mean loss of a step before its update, in nats, of the script and of the reference."""

    number: int
    script: float
    reference: float


def theirs(name: str) -> str:
    """The name in the script of a parameter of the reference."""
    if not name.startswith("blocks."):
        return NAMES[name]
    _, block, rest = name.split(".", 2)
    return f"blocks.{block}.{NAMES[rest]}"


def namespace(script: Path, environment: Mapping[str, object]) -> dict[str, Any]:
    """The definitions of the script, configured by the environment."""
    os.environ.update({name: str(value) for name, value in environment.items()})
    sys.modules["flash_attn_interface"] = types.SimpleNamespace(flash_attn_func=flash_attention)  # type: ignore[assignment]
    scope = {"__name__": "script", "__file__": str(script), "__builtins__": builtins_with(torch_without_cuda())}
    exec(compile(script.read_text(encoding="utf-8"), str(script), "exec", dont_inherit=True), scope)
    return scope


class Script:
    """Model, optimizers and averages of the script, one step at a time as its own loop does it."""

    def __init__(self, scope: Mapping[str, Any], seed: int) -> None:
        self._h = scope["Hyperparameters"]()
        torch.manual_seed(seed)
        self.model = scope["GPT"](self._h)
        self._optimizers = scope["Optimizers"](self._h, self.model)
        self._loader = scope["ShuffledSequenceLoader"](self._h, torch.device("cpu"))
        self._average = {name: value.detach().clone() for name, value in self.model.state_dict().items()}

    def step(self, step: int, fraction: float) -> float:
        h = self._h
        self.model.looping_active = fraction >= h.enable_looping_at
        self._optimizers.zero_grad_all()
        total = 0.0
        for _ in range(h.grad_accum_steps):
            loss = self.model(*self._loader.next_batch(h.train_batch_tokens, h.grad_accum_steps)) / h.grad_accum_steps
            loss.backward()
            total += float(loss.detach())
        warm = min(step / h.muon_momentum_warmup_steps, 1.0)
        for group in self._optimizers.optimizer_muon.param_groups:
            group["momentum"] = (1 - warm) * h.muon_momentum_warmup_start + warm * h.muon_momentum
        scale = max((1 - fraction) / h.warmdown_frac, h.min_lr) if fraction >= 1 - h.warmdown_frac else 1.0
        for group in (group for optimizer in self._optimizers for group in optimizer.param_groups):
            group["lr"] = group["base_lr"] * scale
        nn.utils.clip_grad_norm_(self.model.parameters(), h.grad_clip_norm)
        self._optimizers.step()
        for name, value in self.model.state_dict().items():
            self._average[name].mul_(h.ema_decay).add_(value.detach(), alpha=1 - h.ema_decay)
        return total

    def finish(self) -> None:
        self.model.load_state_dict(self._average)

    def loss(self, tokens: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return self.model(tokens, targets)  # type: ignore[no-any-return]


def reference(config: Config, script: Script) -> tuple[GPT, Trainer]:
    """The reference with the script's initial weights and order of the data."""
    model, known = build_model(config, torch.device("cpu")), dict(script.model.named_parameters())
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(known[theirs(name)].view(parameter.shape))
    trainer = Trainer(config, model, DrawnOrder(config), World.single("cpu"))
    trainer.take_up(None)
    return model, trainer


def together(script: Script, trainer: Trainer, steps: int) -> Iterator[Step]:
    for step in range(steps):
        fraction = step / steps
        found = Step(step, script.step(step, fraction), float(trainer.step(step, fraction)))
        trainer.after_step(torch.tensor(found.reference), step + 1, (step + 1) / steps)
        yield found


def report(steps: list[Step], script: float, mine: float, setting: Setting) -> str:
    worst = max(abs(step.script - step.reference) for step in steps)
    shown = [step for step in steps if step.number % 5 == 0 or step is steps[-1]]
    lines = "\n".join(f"| {step.number} | {step.script:.5f} | {step.reference:.5f} |" for step in shown)
    return f"""# `sp8192` and the script of PR 1493 from the same weights

`python -m bench.same_weights SCRIPT DATA_FOLDER --steps {setting.steps}`

torch {torch.__version__}, float32, one thread. {setting}. Same initial weights, same batches; every step updates both.

* largest difference of the training losses: {worst:.2e} nats
* validation loss of the averaged weights after the last step: {script:.6f} and {mine:.6f} nats

| step | script | reference |
|---|---|---|
{lines}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="the recipe sp8192 and the script of PR 1493 from the same weights")
    parser.add_argument("script", type=Path)
    parser.add_argument("data", type=Path, help="folder of the shards and the tokenizer")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data, setting = options.data.resolve(), replace(PAIR.setting, steps=options.steps, batch_tokens=2048)
    with tempfile.TemporaryDirectory() as folder:
        scope = namespace(options.script, PAIR.environment(setting, data, options.seed, Path(folder)))
        script = Script(scope, options.seed)
        model, trainer = reference(load_recipe(PAIR.recipe, PAIR.overrides(setting, data, options.seed)), script)
        steps = list(together(script, trainer, options.steps))
        script.finish()
        trainer.finish()
        losses = [validation_loss(m, data, setting.seq_len) for m in (script, model)]  # type: ignore[arg-type]
    (HERE / "same_weights.md").write_text(report(steps, *losses, setting), encoding="utf-8")


if __name__ == "__main__":
    main()
