"""Small evaluations as trees of acts: their source, and what a run of them really does, act by act.

An act is a word of `LEAVES`, or (loop, acts) with a loop of `LOOPS`, or (guard, acts) with a guard of `GUARDS`. Within a loop over
chunks `score` and `train` mean the chunk, elsewhere the whole stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st

Act = str | tuple[str, tuple["Act", ...]]

CHUNKS = 4
LEAVES = {
    "score": "total = total + loss_of(model, part).detach()",
    "train": "train(model, optimizer, part)",
    "zero": "total = torch.zeros(())",
    "save": "backup = {name: value.clone() for name, value in model.state_dict().items()}",
    "restore": "model.load_state_dict(backup)",
    "write": "torch.save(model.state_dict(), 'model.pt')",
    "read": "model.load_state_dict(torch.load('model.pt'))",
    "copy": "other = copy.deepcopy(model)",
    "swap": "model, other = other, model; optimizer = torch.optim.SGD(model.parameters(), lr=0.1)",
    "average": "average(model, other)",
    "previous": "train(model, optimizer, tokens[(chunk - 1) * 512 : chunk * 512 + 1]) if chunk > 0 else None",
}
PREVIOUS = "previous"
"""Only within a loop over chunks."""
LOOPS = {"chunks": "for chunk in range(count):", "once": "for epoch in range(1):", "twice": "for epoch in range(2):"}
GUARDS = {"first": "if epoch == 0:", "last": "if epoch == epochs - 1:"}
ROUNDS = {"once": 1, "twice": 2}

PROGRAM = """
import copy
import numpy as np
import torch
import torch.nn.functional as F

def loss_of(model, part):
    return F.cross_entropy(model(part[:-1]), part[1:])

def train(model, optimizer, part):
    optimizer.zero_grad()
    loss_of(model, part).backward()
    optimizer.step()

def average(model, other):
    with torch.no_grad():
        for mine, yours in zip(model.parameters(), other.parameters()):
            mine.mul_(0.5).add_(yours, alpha=0.5)

def main():
    tokens = torch.from_numpy(np.fromfile("fineweb_val_000000.bin", dtype=np.uint16)).long()
    model = torch.nn.Linear(8, 1024)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for shard in range(10):
        train(model, optimizer, torch.from_numpy(np.fromfile(f"fineweb_train_{shard:06}.bin", dtype=np.uint16)).long())
    other = copy.deepcopy(model)
    backup = {name: value.clone() for name, value in model.state_dict().items()}
    torch.save(backup, "model.pt")
    total = torch.zeros(())
    count = (len(tokens) - 1) // 512
    part = tokens
{body}
    print(f"final val_bpb:{total.item():.8f}")

main()
"""


def source(acts: tuple[Act, ...]) -> str:
    """The evaluation as a script."""
    return PROGRAM.replace("{body}", "\n".join(_lines(acts, 1)))


def _lines(acts: tuple[Act, ...], depth: int) -> Iterator[str]:
    indent = "    " * depth
    for act in acts:
        if isinstance(act, str):
            yield indent + LEAVES[act]
            continue
        kind, inner = act
        if kind in ROUNDS:
            yield f"{indent}epochs = {ROUNDS[kind]}"
        yield indent + (LOOPS | GUARDS)[kind]
        if kind == "chunks":
            yield f"{indent}    part = tokens[chunk * 512 : chunk * 512 + 513]"
        yield from _lines(inner, depth + 1)
        if kind == "chunks":
            yield f"{indent}part = tokens"


@dataclass
class Run:
    """A run of an evaluation on a stream of `CHUNKS` chunks: what each state has seen, and what the total holds."""

    model: frozenset[int] = frozenset()
    other: frozenset[int] = frozenset()
    backup: frozenset[int] = frozenset()
    file: frozenset[int] = frozenset()
    total: list[tuple[frozenset[int], frozenset[int]]] = field(default_factory=list)
    """(what was scored, what the model had seen then) of all that the total holds."""

    @property
    def legal(self) -> bool:
        return all(not scored & seen for scored, seen in self.total)


@dataclass(frozen=True)
class Place:
    """The iteration that an act runs in."""

    part: frozenset[int] = frozenset(range(CHUNKS))
    epoch: int = 0
    epochs: int = 1


def run(acts: tuple[Act, ...], state: Run | None = None, place: Place = Place()) -> Run:  # noqa: B008
    """Every act of every iteration, in order."""
    state = state if state is not None else Run()
    for act in acts:
        if isinstance(act, str):
            _act(act, state, place)
            continue
        kind, inner = act
        if kind == "chunks":
            for chunk in range(CHUNKS):
                run(inner, state, replace(place, part=frozenset((chunk,))))
        elif kind in ROUNDS:
            for epoch in range(ROUNDS[kind]):
                run(inner, state, replace(place, epoch=epoch, epochs=ROUNDS[kind]))
        elif place.epoch == (0 if kind == "first" else place.epochs - 1):
            run(inner, state, place)
    return state


def _act(act: str, state: Run, place: Place) -> None:
    match act:
        case "score":
            state.total.append((place.part, state.model))
        case "zero":
            state.total.clear()
        case "train":
            state.model |= place.part
        case "previous":
            state.model |= {chunk - 1 for chunk in place.part} & set(range(CHUNKS))
        case "save":
            state.backup = state.model
        case "restore":
            state.model = state.backup
        case "write":
            state.file = state.model
        case "read":
            state.model = state.file
        case "copy":
            state.other = state.model
        case "swap":
            state.model, state.other = state.other, state.model
        case "average":
            state.model |= state.other
        case _:
            raise ValueError(act)


@st.composite
def evaluations(draw: st.DrawFn, *, previous: bool = False) -> tuple[Act, ...]:
    """Evaluations with at most one loop over chunks and one over epochs around each act; with `previous` only if asked for."""
    return _block(draw, (), previous)


def _block(draw: st.DrawFn, within: tuple[str, ...], previous: bool) -> tuple[Act, ...]:
    kinds = [leaf for leaf in (*LEAVES, "score", "score", "train", "train") if leaf != PREVIOUS or previous and "chunks" in within]
    if len(within) < 3:
        epochs = [kind for kind in ROUNDS if kind in within]
        kinds += [] if "chunks" in within else ["chunks", "chunks"]
        kinds += [] if epochs else [*ROUNDS]
        kinds += [*GUARDS] if epochs and not set(GUARDS) & set(within) else []
    acts = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=4))
    return tuple(kind if kind in LEAVES else (kind, _block(draw, (*within, kind), previous)) for kind in acts)
