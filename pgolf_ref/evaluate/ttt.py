"""Score-first test-time training: a chunk is scored, then trained on, then the next one is scored.

In phases the weights change only at some documents, and then train on every document before. Invariants: the model trains on
nothing that the ledger has not released as scored; the last chunk is not trained on, as nothing follows it; with a learning rate of
0 every score is that of `evaluate`, bit by bit; gradients do not depend on the number of ranks.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from pgolf_ref.config import TTTConfig
from pgolf_ref.config.rules import ruled
from pgolf_ref.distributed import World
from pgolf_ref.evaluate.ledger import Range, Score, ScoringLedger
from pgolf_ref.evaluate.score import Scoring, count_chunk, score_chunk
from pgolf_ref.evaluate.windows import Window
from pgolf_ref.model.gpt import GPT
from pgolf_ref.registry import Group, registry

Item = TypeVar("Item")  # a document or a window


def evaluate_score_first(
    model: GPT,
    ledger: ScoringLedger,
    chunks: Sequence[Sequence[Window]],
    scoring: Scoring,
    config: TTTConfig,
    seq_len: int,
    world: World,
) -> Score:
    """Score a stream with a model that learns from what it has scored; the model is changed."""
    learner = Learner(model, config, seq_len, world)
    for number, chunk in enumerate(chunks):
        score_chunk(model, ledger, chunk, scoring, world)
        count_chunk(ledger, chunk, scoring)
        if chunk[-1].end < len(ledger):
            scored = ledger.scored_tokens(chunk[0].first, chunk[-1].end)
            learner.train(scored, rate(number, len(chunks), config))
    return ledger.total()


def evaluate_in_phases(
    ledger: ScoringLedger,
    parts: Sequence[tuple[int, Sequence[Item]]],
    score: Callable[[Sequence[Item]], None],
    learn: Callable[[Tensor], None],
) -> Score:
    """Score a stream part by part, each its end and its documents or windows; between two, learn from all that is scored so far."""
    for end, own in parts:
        score(own)
        if end < len(ledger):
            learn(ledger.scored_tokens(1, end))
    return ledger.total()


def split_into_phases(documents: Sequence[Range], counts: Sequence[int]) -> list[Range]:
    """The positions before so many documents each, and the rest."""
    edges = [1, *(documents[count][0] for count in counts if count < len(documents)), documents[-1][1]]
    return list(zip(edges, edges[1:], strict=False))


def rate(number: int, count: int, config: TTTConfig) -> float:
    """The learning rate after chunk `number` of `count`: constant, or half a cosine from lr to lr_floor * lr."""
    if config.schedule == "constant" or count < 2:
        return config.lr
    share = 0.5 * (1 + math.cos(math.pi * number / (count - 1)))
    return config.lr * (config.lr_floor + (1 - config.lr_floor) * share)


def train_in_chunks(model: GPT, scored: Tensor, config: TTTConfig, seq_len: int, world: World) -> None:
    """Train on n + 1 scored tokens with fresh moments, the rate falling from chunk to chunk."""
    learner = Learner(model, config, seq_len, world)
    count = -(-(len(scored) - 1) // config.chunk_tokens)
    for number in range(count):
        start = number * config.chunk_tokens
        learner.train(scored[start : start + config.chunk_tokens + 1], rate(number, count, config))


class Learner:
    """The weights that learn, and what the optimizer remembers of them."""

    def __init__(self, model: GPT, config: TTTConfig, seq_len: int, world: World) -> None:
        self._model, self._config, self._seq_len, self._world = model, config, seq_len, world
        scales = lr_scales(model, config)
        self._parameters = [parameter for name, parameter in model.named_parameters() if scales[name]]
        self._scales = [scales[name] for name, _ in model.named_parameters() if scales[name]]
        self._optimizer = _optimizer(self._parameters, config)

    def train(self, tokens: Tensor, lr: float) -> None:
        """All epochs over n + 1 scored tokens."""
        for group, scale in zip(self._optimizer.param_groups, self._scales, strict=True):
            group["lr"] = lr * scale
        for _ in range(self._config.epochs):
            for inputs, targets in batches(tokens, self._config.batch_rows, self._seq_len):
                self._step(inputs, targets)

    def _step(self, inputs: Tensor, targets: Tensor) -> None:
        """One step on the mean loss over the rows of all ranks."""
        world = self._world
        self._optimizer.zero_grad()
        mine = inputs[world.rank :: world.size].to(world.device), targets[world.rank :: world.size].to(world.device)
        if len(mine[0]):
            loss = self._model.loss(*mine) * (len(mine[0]) / len(inputs))
            gradients = torch.autograd.grad(loss, self._parameters, allow_unused=True)
        else:
            gradients = (None,) * len(self._parameters)
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = torch.zeros_like(parameter) if gradient is None else gradient
        world.sum_gradients(self._parameters)
        if self._config.clip_norm > 0:
            clip_grad_norm_(self._parameters, self._config.clip_norm)
        self._optimizer.step()


def batches(tokens: Tensor, rows: int, seq_len: int) -> Iterator[tuple[Tensor, Tensor]]:
    """n + 1 tokens as inputs and targets, rows of `seq_len`; the last row may be shorter and is a batch of its own."""
    targets = len(tokens) - 1
    for start in range(0, targets, rows * seq_len):
        part = tokens[start : start + rows * seq_len + 1]
        whole = (len(part) - 1) // seq_len * seq_len
        if whole:
            yield part[:whole].view(-1, seq_len), part[1 : whole + 1].view(-1, seq_len)
        if whole < len(part) - 1:
            yield part[None, whole:-1], part[None, whole + 1 :]


def lr_scales(model: GPT, config: TTTConfig) -> dict[str, float]:
    """The multiple of the learning rate of every parameter, by its name; 0 = it is frozen."""
    return {
        name: 0.0 if entry.group is Group.CONSTANT else float(ruled(config.lr_scales, entry.role, entry.layer, "1"))
        for name, entry in registry(model).items()
    }


def _optimizer(parameters: Sequence[torch.nn.Parameter], config: TTTConfig) -> torch.optim.Optimizer:
    groups = [{"params": [parameter]} for parameter in parameters]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum)
    return torch.optim.AdamW(groups, lr=config.lr, betas=(config.momentum, config.beta2), weight_decay=config.weight_decay)
