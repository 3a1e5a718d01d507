"""Score-first test-time training: a chunk is scored, then trained on, then the next one is scored.

Invariants: the model trains on nothing that the ledger has not released as scored; the last chunk is not trained on, as nothing
follows it; with a learning rate of 0 every score is that of `evaluate`, bit by bit; gradients do not depend on the number of ranks.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from pgolf_ref.config import TTTConfig
from pgolf_ref.distributed import World
from pgolf_ref.evaluate.ledger import Score, ScoringLedger
from pgolf_ref.evaluate.score import Window, score_chunk
from pgolf_ref.model.gpt import GPT


def evaluate_score_first(
    model: GPT,
    ledger: ScoringLedger,
    chunks: Sequence[Sequence[Window]],
    batch_windows: int,
    config: TTTConfig,
    seq_len: int,
    world: World,
) -> Score:
    """Score a stream with a model that learns from what it has scored; the model is changed."""
    optimizer = torch.optim.SGD(model.parameters(), lr=config.lr, momentum=config.momentum)
    for chunk in chunks:
        score_chunk(model, ledger, chunk, batch_windows, world)
        if chunk[-1].end < len(ledger):
            scored = ledger.scored_tokens(chunk[0].first, chunk[-1].end)
            for _ in range(config.epochs):
                train_on(model, scored, optimizer, config, seq_len, world)
    return ledger.total()


def train_on(model: GPT, tokens: Tensor, optimizer: torch.optim.Optimizer, config: TTTConfig, seq_len: int, world: World) -> None:
    """One pass over n + 1 tokens in batches of rows of `seq_len`; the last row may be shorter and is a batch of its own."""
    targets = len(tokens) - 1
    for start in range(0, targets, config.batch_rows * seq_len):
        part = tokens[start : start + config.batch_rows * seq_len + 1]
        whole = (len(part) - 1) // seq_len * seq_len
        if whole:
            _step(model, part[:whole].view(-1, seq_len), part[1 : whole + 1].view(-1, seq_len), optimizer, config, world)
        if whole < len(part) - 1:
            _step(model, part[None, whole:-1], part[None, whole + 1 :], optimizer, config, world)


def _step(model: GPT, inputs: Tensor, targets: Tensor, optimizer: torch.optim.Optimizer, config: TTTConfig, world: World) -> None:
    """One SGD step on the mean loss over the rows of all ranks."""
    optimizer.zero_grad()
    mine = inputs[world.rank :: world.size].to(world.device), targets[world.rank :: world.size].to(world.device)
    if len(mine[0]):
        (model.loss(*mine) * (len(mine[0]) / len(inputs))).backward()
    else:
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
    world.sum_gradients(model.parameters())
    if config.clip_norm > 0:
        clip_grad_norm_(model.parameters(), config.clip_norm)
    optimizer.step()
