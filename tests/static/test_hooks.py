"""Forward hooks: what they enter into tables while they are registered, and no longer."""

from __future__ import annotations

from abstract_runs import ran

from pgolf_check.rules.order import overlap

CALIBRATED = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(8, 8) for _ in range(3)])
        self.head = nn.Linear(8, 1024)

    def forward(self, rows):
        for block in self.blocks:
            rows = block(rows)
        return self.head(rows)

net = Net()
squares, handles = {}, []

def make(name):
    def hook(module, given, made):
        rows = given[0]
        if name not in squares:
            squares[name] = torch.zeros(8, 8)
        squares[name].addmm_(rows.t(), rows)
    return hook

for name, module in net.named_modules():
    if isinstance(module, nn.Linear):
        handles.append(module.register_forward_hook(make(name)))
for _ in range(4):
    net(torch.zeros(3, 8))
{removed}
print(F.cross_entropy(net(nn.Embedding(1024, 8)(x)), y))
state = {}
for name, value in net.state_dict().items():
    square = squares.get(name.rsplit(".weight", 1)[0])
    state[name] = torch.round(value) if square is None else value @ square
net.load_state_dict(state)
print(f"final val_bpb:{F.cross_entropy(net(nn.Embedding(1024, 8)(x)), y).item():.8f}")
"""
REMOVED = "for handle in handles:\n    handle.remove()"


def leaks(removed: str) -> bool:
    claim = ran(CALIBRATED.replace("{removed}", removed)).claim
    assert claim is not None
    return any(overlap(update, score) for score in claim.scores for update in score.seen)


def test_a_hook_that_stays_sees_the_tokens_of_a_diagnostic() -> None:
    assert leaks("")


def test_a_hook_that_is_removed_sees_nothing_more() -> None:
    assert not leaks(REMOVED)
