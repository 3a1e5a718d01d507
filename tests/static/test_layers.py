"""Layers that a comprehension makes: alike they are one, so that a loop over them restores them; what one alone does is not lost."""

from __future__ import annotations

import pytest
from abstract_runs import ran

from pgolf_check.rules.order import overlap

WRAPPED = """
class Block(nn.Module):
    def __init__(self, index):
        super().__init__()
        self.index = index
        self.scale = 1 / (index + 1) ** 0.5
        self.mix = nn.Linear(8, 8)
        self.extra = {extra}

    def forward(self, rows):
        {inner}
        return self.mix(rows) * self.scale

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Block(index) for index in range(11)])
        self.head = nn.Linear(8, 1024)

    def forward(self, rows):
        for block in self.blocks:
            rows = block(rows)
        return self.head(rows)

square = torch.zeros(8, 8)
net = Net()
net(torch.zeros(3, 8))
{around}
print(F.cross_entropy(net(nn.Embedding(1024, 8)(x)), y))
net.load_state_dict({name: value @ square for name, value in net.state_dict().items()})
print(f"final val_bpb:{F.cross_entropy(net(nn.Embedding(1024, 8)(x)), y).item():.8f}")
"""
WRAP = """
before = []
for block in net.blocks:
    before.append(block.forward)
    def wrap(block, forward):
        def wrapped(rows):
            square.addmm_(rows.t(), rows)
            return forward(rows)
        return wrapped
    block.forward = wrap(block, block.forward)
net(torch.zeros(3, 8))
"""
RESTORE = """
for block, forward in zip(net.blocks, before):
    block.forward = forward
"""
WRITE = "square.addmm_(rows.t(), rows)"


def leaks(around: str = "", inner: str = "pass", extra: str = "None") -> bool:
    source = WRAPPED.replace("{around}", around).replace("{inner}", inner).replace("{extra}", extra)
    claim = ran(source).claim
    assert claim is not None
    return any(overlap(update, score) for score in claim.scores for update in score.seen)


def test_forwards_that_stay_wrapped_see_the_tokens_of_a_diagnostic() -> None:
    assert leaks(WRAP)


def test_forwards_that_a_loop_restores_see_nothing_more() -> None:
    assert not leaks(WRAP + RESTORE)


@pytest.mark.parametrize("index", [0, 1, 10])
def test_what_one_layer_alone_does_is_seen(index: int) -> None:
    assert leaks(inner=f"{WRITE} if self.index == {index} else None")


@pytest.mark.parametrize("index", [0, 1, 10])
def test_a_part_that_one_layer_alone_has_is_seen(index: int) -> None:
    assert leaks(inner=f"{WRITE} if self.extra is not None else None", extra=f"nn.Linear(8, 8) if index == {index} else None")


def test_layers_that_only_compute_see_nothing() -> None:
    assert not leaks(extra="nn.Linear(8, 8)")
