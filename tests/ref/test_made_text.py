"""Calibration text of the model's own: with and without kept keys and values, and what a row depends on."""

import pytest
import torch
from test_technique_runs import EMBEDDING, MODEL
from toys import random_model, random_tokens, small, toy_vocabulary

from pgolf_ref.model.past import Pasts, continues
from pgolf_ref.quant import made_text
from pgolf_ref.quant.made_text import GeneratedText, GibbsText, RandomTokens, generate

WITHOUT_SPANS = tuple(o for o in (*EMBEDDING, *MODEL) if "canon" not in o and "count_bias" not in o)


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("model.attention.documents=true", "model.attention.max_document=5"),
        ("model.block.drop_attention=[0]",),
        ("model.attention.rope_length=6", "model.attention.xsa_last=3"),
        WITHOUT_SPANS,
    ],
)
def test_positions_one_by_one_are_those_of_the_whole_row(overrides: tuple[str, ...]) -> None:
    config = small(*overrides)
    model = random_model(config)
    model.use_vocabulary(toy_vocabulary(40))
    tokens = random_tokens(config, rows=3)
    tokens[0, 5] = 1
    assert continues(config.model)
    with torch.no_grad():
        whole, pasts = model.hidden(tokens), Pasts(len(model.plan), tokens.size(1))
        parts = [model.hidden(tokens[:, :end], pasts=pasts) for end in (4, 5, 6, 9, 10, 11, 12)]
    assert [part.size(1) for part in parts] == [4, 1, 1, 3, 1, 1, 1]
    torch.testing.assert_close(torch.cat(parts, dim=1), whole)


@pytest.mark.parametrize("override", ["model.block.canon=both", "model.head.count_bias=true"])
def test_without_kept_values_the_text_is_that_of_whole_rows(override: str) -> None:
    config = small(override)
    model = random_model(config)
    assert not continues(config.model)
    draws = torch.rand(2, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    tokens = generate(model, draws)
    for place in range(1, 6):
        logits = model(tokens[:, :place])[:, -1]
        total = (logits / made_text.TEMPERATURE).softmax(dim=-1).cumsum(dim=-1)
        expected = [int((row < draw).sum()) for row, draw in zip(total, draws[:, place], strict=True)]
        assert tokens[:, place].tolist() == expected


def test_generated_text_is_the_same_with_and_without_kept_values(monkeypatch: pytest.MonkeyPatch) -> None:
    config = small()
    model = random_model(config)
    kept = GeneratedText(model, config).rows(0, 3)
    monkeypatch.setattr(made_text, "continues", lambda config: False)
    assert torch.equal(GeneratedText(model, config).rows(0, 3), kept)


@pytest.mark.parametrize("kind", [RandomTokens, GeneratedText, GibbsText])
def test_a_row_does_not_depend_on_its_batch(kind: type) -> None:
    config = small()
    made = kind(random_model(config), config)
    rows = made.rows(0, 5)
    assert rows.shape == (5, 12) and rows.dtype == torch.int64
    assert int(rows.min()) >= 0 and int(rows.max()) < 40
    assert torch.equal(made.rows(2, 2), rows[2:4])
    assert len({tuple(row) for row in rows.tolist()}) == 5


def test_made_text_depends_on_the_seed_of_the_data() -> None:
    first, second = small(), small("run.seed_data=8")
    assert not torch.equal(
        RandomTokens(random_model(first), first).rows(0, 2), RandomTokens(random_model(second), second).rows(0, 2)
    )


@pytest.mark.parametrize("kind", [GeneratedText, GibbsText])
def test_the_model_likes_its_own_text_better_than_chance(kind: type) -> None:
    config = small("model.softcap=8.0")
    model = random_model(config)
    own, chance = kind(model, config).rows(0, 40), RandomTokens(model, config).rows(0, 40)
    with torch.no_grad():
        losses = [float(model.loss(rows[:, :-1], rows[:, 1:])) for rows in (own, chance)]
    assert losses[0] < losses[1] - 0.2


def test_no_source_takes_tokens() -> None:
    """What is made is made from a model and a configuration."""
    config = small()
    for kind in (GeneratedText, GibbsText):
        with pytest.raises((TypeError, AttributeError)):
            kind(torch.zeros(4, 12, dtype=torch.int64), config).rows(0, 1)
