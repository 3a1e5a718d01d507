"""Evaluates a small model on the validation shard in the way that the environment names; legal ways and such that learn first."""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

WINDOW, STRIDE, DIM = 64, 32, 16
RATE = 0.05


class Model(torch.nn.Module):
    def __init__(self, vocab: int) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(vocab, DIM)
        self.head = torch.nn.Linear(DIM, vocab)

    def forward(self, tokens: Any) -> Any:
        return self.head(self.embed(tokens)).float()


def shard(split: str) -> Any:
    path = next(Path(os.environ["DATA_PATH"]).glob(f"fineweb_{split}_*.bin"))
    return torch.from_numpy(np.fromfile(path, dtype="<u2", offset=1024).astype(np.int64)).cuda()


def windows(tokens: Any, stride: int = WINDOW) -> Iterator[tuple[Any, Any]]:
    for start in range(0, len(tokens) - WINDOW, stride):
        piece = tokens[start : start + WINDOW + 1]
        yield piece[None, :-1], piece[None, 1:]


def loss_of(model: Any, x: Any, y: Any) -> Any:
    return F.cross_entropy(model(x).flatten(0, 1), y.flatten())


def train(model: Any, optimizer: Any, x: Any, y: Any) -> None:
    optimizer.zero_grad()
    loss_of(model, x, y).backward()
    optimizer.step()


def score(model: Any, x: Any, y: Any) -> float:
    with torch.no_grad():
        return float(loss_of(model, x, y))


def tell(losses: list[float]) -> None:
    mean = sum(losses) / len(losses)
    print(f"final_int8_zlib_roundtrip_exact val_loss:{mean:.8f} val_bpb:{mean / 3:.8f}", flush=True)


def score_first(model: Any, optimizer: Any, tokens: Any) -> None:
    losses = []
    for x, y in windows(tokens):
        losses.append(score(model, x, y))
        train(model, optimizer, x, y)
    tell(losses)


def train_first(model: Any, optimizer: Any, tokens: Any) -> None:
    for x, y in windows(tokens):
        train(model, optimizer, x, y)
    tell([score(model, x, y) for x, y in windows(tokens)])


def through_a_file(model: Any, optimizer: Any, tokens: Any) -> None:
    """Learns, and throws away what it learned: its weights are read back from before."""
    with tempfile.TemporaryDirectory() as folder:
        torch.save(model.state_dict(), f"{folder}/model.pt")
        for x, y in windows(tokens):
            train(model, optimizer, x, y)
        model.load_state_dict(torch.load(f"{folder}/model.pt"))
    tell([score(model, x, y) for x, y in windows(tokens)])


def a_copy_learns(model: Any, _: Any, tokens: Any) -> None:
    other = copy.deepcopy(model)
    optimizer = torch.optim.SGD(other.parameters(), lr=RATE)
    for x, y in windows(tokens):
        train(other, optimizer, x, y)
    tell([score(model, x, y) for x, y in windows(tokens)])


def a_copy_is_scored(model: Any, optimizer: Any, tokens: Any) -> None:
    for x, y in windows(tokens):
        train(model, optimizer, x, y)
    other = copy.deepcopy(model)
    tell([score(other, x, y) for x, y in windows(tokens)])


def last_epoch(model: Any, optimizer: Any, tokens: Any) -> None:
    for epoch in range(2):
        losses = []
        for x, y in windows(tokens):
            optimizer.zero_grad()
            loss = loss_of(model, x, y)
            losses.append(loss.item())
            loss.backward()
            optimizer.step()
        if epoch == 1:
            tell(losses)


def first_epoch(model: Any, optimizer: Any, tokens: Any) -> None:
    losses = []
    for epoch in range(2):
        for x, y in windows(tokens):
            optimizer.zero_grad()
            loss = loss_of(model, x, y)
            if epoch == 0:
                losses.append(loss.item())
            loss.backward()
            optimizer.step()
    tell(losses)


def in_a_buffer(model: Any, optimizer: Any, tokens: Any, counted: int) -> None:
    """Two epochs; each overwrites a sum of losses, at a temperature that is no part of what is looked up. `counted` is the one that is told."""
    total = torch.zeros((), dtype=torch.float64)
    scored = 0
    told = []
    for _ in range(2):
        total.zero_()
        scored = 0
        for x, y in windows(tokens):
            optimizer.zero_grad()
            losses = F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="none")
            with torch.no_grad():
                for half in (losses[: WINDOW // 2], losses[WINDOW // 2 :]):
                    total += 0.98 * half.to(torch.float64).sum()
            scored += len(losses)
            losses.mean().backward()
            optimizer.step()
        told.append(total.item() / scored)
    tell([told[counted]])


def first_epoch_in_a_buffer(model: Any, optimizer: Any, tokens: Any) -> None:
    in_a_buffer(model, optimizer, tokens, 0)


def last_epoch_in_a_buffer(model: Any, optimizer: Any, tokens: Any) -> None:
    in_a_buffer(model, optimizer, tokens, 1)


def by_hand(model: Any, _: Any, tokens: Any) -> None:
    for x, y in windows(tokens):
        slopes = torch.autograd.grad(loss_of(model, x, y), list(model.parameters()))
        for parameter, slope in zip(model.parameters(), slopes, strict=True):
            parameter.data.add_(slope, alpha=-RATE)
    tell([score(model, x, y) for x, y in windows(tokens)])


class OwnLoss(torch.autograd.Function):
    """Cross-entropy with a backward pass of its own."""

    @staticmethod
    def forward(ctx: Any, logits: Any, targets: Any) -> Any:
        log_p = F.log_softmax(logits, dim=-1)
        ctx.save_for_backward(log_p, targets)
        return -log_p.gather(1, targets.unsqueeze(1)).mean()

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        log_p, targets = ctx.saved_tensors
        slope = (log_p.exp() - F.one_hot(targets, log_p.size(1))) / len(targets)
        return grads[0] * slope, None


def a_loss_of_its_own(model: Any, optimizer: Any, tokens: Any) -> None:
    for x, y in windows(tokens):
        optimizer.zero_grad()
        OwnLoss.apply(model(x).flatten(0, 1), y.flatten()).backward()
        optimizer.step()
    tell([score(model, x, y) for x, y in windows(tokens)])


def a_bias_for_each_window(model: Any, _: Any, tokens: Any) -> None:
    losses = []
    for x, y in windows(tokens):
        logits = model(x).detach()
        bias = torch.zeros(logits.size(-1), requires_grad=True)
        optimizer = torch.optim.SGD([bias], lr=RATE)
        for _ in range(2):
            optimizer.zero_grad()
            F.cross_entropy((logits + bias).flatten(0, 1), y.flatten()).backward()
            optimizer.step()
        with torch.no_grad():
            log_p = F.log_softmax(logits + bias, dim=-1)
            losses.append(float(-log_p.gather(-1, y.unsqueeze(-1)).mean()))
    tell(losses)


def scored_again(model: Any, optimizer: Any, tokens: Any) -> None:
    score_first(model, optimizer, tokens)
    losses = [score(model, x, y) for x, y in windows(tokens)]
    mean = sum(losses) / len(losses)
    print(f"final_ttt_exact val_loss:{mean:.8f} val_bpb:{mean / 3:.8f}", flush=True)


def sliding_score_first(model: Any, optimizer: Any, tokens: Any) -> None:
    """Each window scores what is new in it, then trains on that alone."""
    total, count = 0.0, 0
    for number, (x, y) in enumerate(windows(tokens, STRIDE)):
        fresh = 0 if number == 0 else WINDOW - STRIDE
        with torch.no_grad():
            nats = F.cross_entropy(model(x)[0], y[0], reduction="none")[fresh:]
        total, count = total + float(nats.double().sum()), count + len(nats)
        optimizer.zero_grad()
        F.cross_entropy(model(x)[0, fresh:], y[0, fresh:]).backward()
        optimizer.step()
    tell([total / count])


def a_file_is_scored(model: Any, optimizer: Any, tokens: Any) -> None:
    """Learns, and scores what it learned, quantised and read back from files."""
    for x, y in windows(tokens):
        train(model, optimizer, x, y)
    with tempfile.TemporaryDirectory() as folder:
        rounded = {name: (value * 64).round().clamp(-127, 127).to(torch.int8) for name, value in model.state_dict().items()}
        torch.save(rounded["embed.weight"], f"{folder}/model.pt")
        np.savez(f"{folder}/rest.npz", **{name: value.numpy() for name, value in rounded.items()})
        read = {name: torch.from_numpy(array) for name, array in np.load(f"{folder}/rest.npz").items()}
        read["embed.weight"] = torch.load(f"{folder}/model.pt")
    model.load_state_dict({name: value.float() / 64 for name, value in read.items()})
    tell([score(model, x, y) for x, y in windows(tokens)])


def best_of_two_legal_passes(model: Any, _: Any, tokens: Any) -> None:
    passes = []
    for rate in (RATE, 4 * RATE):
        other = copy.deepcopy(model)
        optimizer = torch.optim.SGD(other.parameters(), lr=rate)
        nats = []
        for x, y in windows(tokens):
            with torch.no_grad():
                nats.append(F.cross_entropy(other(x)[0], y[0], reduction="none"))
            train(other, optimizer, x, y)
        passes.append(torch.cat(nats))
    tell([float(torch.minimum(*passes).mean())])


def best_epoch(model: Any, optimizer: Any, tokens: Any) -> None:
    lowest = torch.full((len(tokens),), 99.0)
    for _ in range(2):
        for number, (x, y) in enumerate(windows(tokens)):
            with torch.no_grad():
                nats = F.cross_entropy(model(x)[0], y[0], reduction="none")
                place = slice(number * WINDOW, number * WINDOW + WINDOW)
                lowest[place] = torch.minimum(lowest[place], nats)
            train(model, optimizer, x, y)
    tell([float(lowest[lowest < 99.0].mean())])


def last_epoch_of_the_new_part(model: Any, optimizer: Any, tokens: Any) -> None:
    """Windows overlap, and what is new in each is scored in the last epoch."""
    total, count = 0.0, 0
    for epoch in range(3):
        for number, (x, y) in enumerate(windows(tokens, STRIDE)):
            fresh = 0 if number == 0 else WINDOW - STRIDE
            nats = F.cross_entropy(model(x)[0], y[0], reduction="none")
            if epoch == 2:
                with torch.no_grad():
                    total += float(nats[fresh:].to(torch.float64).sum())
                    count += len(nats) - fresh
            optimizer.zero_grad()
            nats[fresh:].mean().backward()
            optimizer.step()
    tell([total / count])


def only_scored(model: Any, _: Any, tokens: Any) -> None:
    tell([score(model, x, y) for x, y in windows(tokens)])


def in_documents(model: Any, tokens: Any, *, apart: bool, gate: bool) -> None:
    """Each position attends to those before it, in its own document or in all of the row; a gate mixes in the position before."""
    losses = []
    with torch.no_grad():
        for x, y in windows(tokens):
            embedded = model.embed(x[0])
            if gate:
                embedded = embedded + F.pad(embedded[:-1], (0, 0, 1, 0))
            document = (x[0] == 1).cumsum(0)
            seen = torch.ones(len(document), len(document)).tril()
            if apart:
                seen = seen * (document[:, None] == document[None, :])
            losses.append(float(F.cross_entropy(model.head(seen / seen.sum(1, keepdim=True) @ embedded), y[0])))
    tell(losses)


def documents_apart(model: Any, _: Any, tokens: Any) -> None:
    in_documents(model, tokens, apart=True, gate=False)


def documents_together(model: Any, _: Any, tokens: Any) -> None:
    in_documents(model, tokens, apart=False, gate=True)


def documents_apart_but_for_a_gate(model: Any, _: Any, tokens: Any) -> None:
    in_documents(model, tokens, apart=True, gate=True)


def looks_ahead(model: Any, _: Any, tokens: Any) -> None:
    """The token behind the target has a share in the distribution."""
    plain = model.embed.forward

    def mixed(ids: Any) -> Any:
        x = plain(ids)
        return x + torch.cat([x[:, 2:], x[:, :2]], dim=1)

    model.embed.forward = mixed
    tell([score(model, x, y) for x, y in windows(tokens)])


def rows_by_documents(model: Any, _: Any, tokens: Any) -> None:
    """Documents of more tokens first: where they end decides the order and the rows."""
    starts = [0, *(tokens == 1).nonzero().flatten().tolist(), len(tokens)]
    documents = [tokens[a:b] for a, b in zip(starts, starts[1:], strict=False) if b - a > 1]
    total = 0.0
    for piece in sorted(documents, key=len, reverse=True):
        total += score(model, piece[None, :-1], piece[None, 1:]) * (len(piece) - 1)
        model.head.bias.data.mul_(1.0 + 1e-3 * len(piece))
    tell([total / sum(len(piece) - 1 for piece in documents)])


def measures_the_split(model: Any, _: Any, tokens: Any) -> None:
    """A temperature that is computed from all tokens before any is scored."""
    warmth = 1.0 + tokens.float().mean() / 1000.0
    with torch.no_grad():
        tell([float(F.cross_entropy(model(x).flatten(0, 1) / warmth, y.flatten())) for x, y in windows(tokens)])


WAYS: dict[str, Callable[[Any, Any, Any], None]] = {
    each.__name__: each
    for each in (
        score_first, train_first, through_a_file, a_copy_learns, a_copy_is_scored, last_epoch, first_epoch, by_hand, a_loss_of_its_own,
        first_epoch_in_a_buffer, last_epoch_in_a_buffer,
        a_bias_for_each_window, scored_again, sliding_score_first, best_epoch,
        a_file_is_scored, best_of_two_legal_passes,
        only_scored, rows_by_documents, looks_ahead, measures_the_split,
        last_epoch_of_the_new_part, documents_apart, documents_together, documents_apart_but_for_a_gate,
    )
}  # fmt: skip


def main() -> None:
    torch.manual_seed(int.from_bytes(os.urandom(4)) if os.environ.get("NOISE") else 1337)
    model: Any = Model(int(os.environ["VOCAB_SIZE"])).cuda()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, fused=True)
    if os.environ.get("PRETRAINED", "1") == "1":
        for x, y in windows(shard("train")[: 8 * WINDOW]):
            optimizer.zero_grad()
            loss_of(model, x, y).backward()
            optimizer.step()
    WAYS[os.environ["WAY"]](model, optimizer, shard("val"))


if __name__ == "__main__":
    main()
