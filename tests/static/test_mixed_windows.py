"""Scores of batched windows that are mixed, window by window, with tables of what was scored before."""

from __future__ import annotations

import pytest
from submissions import facts, submission

from pgolf_check.rules.order import breaches
from pgolf_check.static.engine import analyse
from pgolf_check.submission.model import Script

PROGRAM = """
import numpy as np
import torch
import torch.nn.functional as F


class Counts:
    def __init__(self, size):
        self.size = size
        self.pairs = torch.zeros(size * size)
        self.weights = torch.zeros(2)
        self.total = 0

    def update(self, tokens):
        self.total += tokens.numel()
        self.pairs.scatter_add_(0, tokens[:-1] * self.size + tokens[1:], torch.ones(len(tokens) - 1))

    def score(self, own, x, y):
        rows = (self.pairs.reshape(self.size, self.size) + 0.1) / (self.total + 0.1 * self.size)
        other = -rows.log()[x.reshape(-1), y.reshape(-1)].reshape(own.shape)
        both = torch.stack([own, other], dim=-1)
        weights = self.weights - self.weights.logsumexp(0)
        return -(weights - both).logsumexp(-1), both

    def learn(self, both):
        self.weights -= 0.1 * both.mean((0, 1))


def main():
    tokens = torch.from_numpy(np.fromfile("fineweb_val_000000.bin", dtype=np.uint16)).long()
    stream = tokens.numpy()
    model = torch.nn.Linear(8, 1024)
    pairs = np.zeros((1024, 1024))
    counts = Counts({size})
    total = torch.zeros(())
    starts = list(range(0, len(tokens) - 1, 64))
    chunks = [[] for _ in range(100)]
    for start in starts:
        chunks[min(start // 4096, 99)].append(start)
    for number in range(100):
        windows = chunks[number]
        if not windows:
            continue
        for first in range(0, len(windows), 32):
            batch = windows[first : first + 32]
            x_batch = torch.zeros(len(batch), 1024, dtype=torch.int64)
            y_batch = torch.zeros(len(batch), 1024, dtype=torch.int64)
            lengths = []
            for row, start in enumerate(batch):
                end = min(start + 1024, len(tokens) - 1)
                lengths.append(end - start)
                part = tokens[start : end + 1]
                x_batch[row, : end - start] = part[:-1]
                y_batch[row, : end - start] = part[1:]
            logits = model(x_batch)
            nll = F.cross_entropy(logits.reshape(-1, 1024), y_batch.reshape(-1), reduction="none").reshape(len(batch), 1024)
{mixed}
    print(f"final val_bpb:{{total.item():.8f}}")

main()
"""
BY_WINDOW = """
            for row, start in enumerate(batch):
                length = lengths[row]
                skip = 0 if start == 0 else length - 64
                own = torch.exp(-nll[row, skip:length]).numpy()
                at = np.arange(start + skip + 1, start + length + 1)
{before}
                other = pairs[stream[at - 1], stream[at]] / pairs[stream[at - 1]].sum(-1)
                mixed = -np.log(0.7 * own + 0.3 * other)
{after}
                total += torch.from_numpy(mixed).sum()
"""
ENTER = "                np.add.at(pairs, (stream[at - 1], stream[at]), 1)"
BY_CHUNK = """
            mixed, both = counts.score(nll, x_batch, y_batch)
            counts.learn(both)
            for row, start in enumerate(batch):
                length = lengths[row]
                skip = 0 if start == 0 else length - 64
                total += mixed[row, skip:length].sum()
{after}
"""
WHOLE = "        counts.update(tokens[number * 4096 : (number + 1) * 4096 + 1])"
LEGAL = {
    "a table by window": ("1024", BY_WINDOW.format(before="", after=ENTER)),
    "weights by chunk": ("1024", BY_CHUNK.format(after=WHOLE)),
    "a vocabulary as large as the data need": ("int(tokens.max().item()) + 1", BY_CHUNK.format(after=WHOLE)),
}
ILLEGAL = {
    "a table before its window": ("1024", BY_WINDOW.format(before=ENTER, after="")),
    "counts before their batch": ("1024", "    " + WHOLE + BY_CHUNK.format(after="")),
}


def broken(size: str, mixed: str) -> set[str]:
    text = PROGRAM.format(size=size, mixed=mixed)
    judged = submission(scripts={"train_gpt.py": Script("train_gpt.py", len(text), text)}, logs=())
    return {breach.rule for breach in breaches(facts(judged, static=analyse(judged)))}


@pytest.mark.parametrize("case", LEGAL)
def test_what_was_scored_before_may_be_mixed_in(case: str) -> None:
    assert broken(*LEGAL[case]) == set()


@pytest.mark.parametrize("case", ILLEGAL)
def test_what_was_not_scored_may_not(case: str) -> None:
    assert broken(*ILLEGAL[case]) != set()
