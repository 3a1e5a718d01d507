"""Initial weights from training tokens, against counting by hand."""

import math
from collections import Counter

import pytest
import torch
from toys import CountingLoader, random_tokens, small

from pgolf_ref.clock import Clock
from pgolf_ref.log import silent
from pgolf_ref.model.gpt import GPT
from pgolf_ref.model.initialise import WINDOW, cooccurrence, initialise, log_frequencies, svd_embedding
from pgolf_ref.train import train

V = 40


def tokens(rows: int = 6) -> torch.Tensor:
    return random_tokens(small(), rows=rows).clamp(max=11)


def literal_cooccurrence(rows: list[list[int]]) -> list[list[float]]:
    pairs = Counter((row[t], row[t - j]) for row in rows for t in range(len(row)) for j in range(1, WINDOW + 1) if j <= t)
    total = sum(pairs.values())
    first, second = Counter(), Counter()
    for (a, b), count in pairs.items():
        first[a] += count
        second[b] += count
    return [
        [max(0.0, math.log(pairs[a, b] * total / (first[a] * second[b]))) if pairs[a, b] else 0.0 for b in range(V)]
        for a in range(V)
    ]


def test_cooccurrence_is_what_the_formula_says() -> None:
    expected = torch.tensor(literal_cooccurrence(tokens().tolist()))
    torch.testing.assert_close(cooccurrence(tokens(), V), expected, rtol=1e-4, atol=1e-5)


def test_frequencies_are_counts_plus_one() -> None:
    counts = Counter(tokens().flatten().tolist())
    expected = [math.log((counts[v] + 1) / (72 + V)) for v in range(V)]
    torch.testing.assert_close(log_frequencies(tokens(), V), torch.tensor(expected))


def test_svd_embedding_spans_the_cooccurrence() -> None:
    """With all columns, E E^T is the positive square root of C C^T, up to the scale."""
    table = svd_embedding(tokens(), V, V, 0.005, seed=0).double()
    assert float(table.std()) == pytest.approx(0.005, rel=1e-3)
    c = cooccurrence(tokens(), V).double()
    gram = table @ table.T
    square = gram @ gram
    torch.testing.assert_close(square / square.norm(), (c @ c.T) / (c @ c.T).norm(), rtol=1e-3, atol=1e-4)


def test_svd_embedding_wider_than_its_rank_is_filled_up_at_random() -> None:
    table = svd_embedding(tokens(), 12, 20, 0.005, seed=0)
    assert float(table[:, 12:].std()) == pytest.approx(0.005, rel=0.2)
    assert torch.equal(table, svd_embedding(tokens(), 12, 20, 0.005, seed=0))


def test_queries_and_keys_score_pairs_by_cooccurrence() -> None:
    """With as many key-value heads as heads, Q^T K is the projected co-occurrence, whatever the order of its components."""
    config = small("model.embedding.cooccurrence_qk=true", "model.kv_heads=4")
    torch.manual_seed(0)
    model = GPT(config.model)
    initialise(model, tokens(), seed=0)
    table = model.embedding.table.detach()
    vectors = table / table.square().mean(dim=1, keepdim=True).add(torch.finfo(torch.float32).eps).sqrt()
    attention = model.blocks[0].attention
    expected = vectors.T @ cooccurrence(tokens(), V) @ vectors / V**2
    torch.testing.assert_close(attention.query.T @ attention.key, expected, rtol=1e-3, atol=1e-5)


def test_query_heads_of_a_group_share_the_components_of_their_key_head() -> None:
    config = small("model.embedding.cooccurrence_qk=true")
    torch.manual_seed(0)
    model = GPT(config.model)
    initialise(model, tokens(), seed=0)
    query, key = model.blocks[0].attention.query, model.blocks[0].attention.key
    heads = query.view(4, 4, 16)
    assert torch.equal(heads[0], heads[1]) and torch.equal(heads[2], heads[3])
    torch.testing.assert_close(query[:4].norm(dim=1), key[:4].norm(dim=1))


@pytest.mark.parametrize(
    ("technique", "name"),
    [
        ("model.head.unigram_bias=true", "head.unigram"),
        ("model.embedding.init=svd", "embedding.table"),
        ("model.embedding.cooccurrence_qk=true", "blocks.0.attention.query"),
    ],
)
def test_training_begins_with_the_tokens_of_its_first_steps(technique: str, name: str) -> None:
    """With rates of zero the trained model, and its average, are the initialised one."""
    rates = [f"optim.{rate}=0.0" for rate in ("embedding_lr", "head_lr", "matrix_lr", "scalar_lr")]
    config = small(technique, *rates, "model.embedding.init_tokens=48", "run.steps=2", "optim.ema_horizon=0.5")
    trained = train(config, CountingLoader(config), Clock(), silent()).model
    torch.manual_seed(config.run.seed_init)
    expected = GPT(config.model).double()
    loader = CountingLoader(config)
    initialise(expected, torch.cat([loader.batch(0, 0)[0], loader.batch(0, 1)[0]]), config.run.seed_init)
    torch.testing.assert_close(dict(trained.named_parameters())[name], dict(expected.named_parameters())[name])
    fresh = dict(GPT(config.model).double().named_parameters())[name]
    assert not torch.equal(fresh, dict(expected.named_parameters())[name])
