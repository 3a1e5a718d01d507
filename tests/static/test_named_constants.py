"""A constant may have a name: a minifier gives one to None and True."""

from __future__ import annotations

import pytest
from abstract_runs import ran

NARROWED = """
NOTHING = None
epochs = None if len(tokens) > 1_000_000 else 1
if epochs is not {nothing}:
    if epochs > {least}:
        F.cross_entropy(model(x[:512]), y[:512]).backward()
        optimizer.step()
print(f"final val_loss:{{F.cross_entropy(model(x[:512]), y[:512]).item():.4f}}")
"""


@pytest.mark.parametrize("nothing", ["None", "NOTHING"])
@pytest.mark.parametrize(("least", "trained"), [(0, True), (1, False)])
def test_what_is_not_none_is_the_other_value(nothing: str, least: int, trained: bool) -> None:
    run = ran(NARROWED.format(nothing=nothing, least=least))
    assert run.claim is not None
    assert any(seen.regions for score in run.claim.scores for seen in score.seen) is trained
