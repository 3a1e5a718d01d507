"""The fields of a dataclass are what its class declares: their names carry nothing of what the object holds."""

from __future__ import annotations

import pytest
from abstract_runs import ran

from pgolf_check.rules.order import overlap

TOLD = """
import dataclasses, json

@dataclasses.dataclass
class Told:
    loss: float
    steps: int = 3

def plain(value):
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return {key}

def loss():
    return F.cross_entropy(model(nn.Embedding(1024, 8)(x)), y)

told = plain(Told(loss().item()))
print(json.dumps(told))
with torch.no_grad():
    model.bias.mul_({held})
print(f"final val_bpb:{loss().item():.8f}")
"""


def leaks(held: str) -> bool:
    claim = ran(TOLD.replace("{held}", held).replace("{key}", "value")).claim
    assert claim is not None
    return any(overlap(update, score) for score in claim.scores for update in score.seen)


def test_a_field_that_holds_no_tokens_brings_none() -> None:
    assert not leaks("told['steps']")


def test_a_field_that_holds_a_loss_brings_its_tokens() -> None:
    assert leaks("told['loss']")


@pytest.mark.parametrize("field", [0, 1])
def test_names_of_fields_bring_nothing(field: int) -> None:
    assert not leaks(f"len(dataclasses.fields(Told(loss()))[{field}].name)")
