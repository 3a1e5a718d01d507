"""The tilt is a distribution, looks at the prefix alone, and pays where the text repeats itself."""

import json
from collections import Counter

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from replays import read_replay
from streams import Bigram, ledger, stream
from toys import small

from pgolf_check.testing import assert_causal, assert_normalized
from pgolf_ref.config import Config
from pgolf_ref.distributed import World
from pgolf_ref.evaluate.recipe import windowed_score
from pgolf_ref.evaluate.tilt import NO_HINT, NgramTilt, tilted


def config(*overrides: str) -> Config:
    return small("evaluate.stride=6", "ttt.chunk_tokens=12", "evaluate.tilt_strength=2", "evaluate.tilt_order=3", *overrides)


@given(st.integers(0, 2**32), st.floats(0.01, 8.0), st.lists(st.integers(-1, 39), min_size=1, max_size=6))
def test_a_tilted_distribution_sums_to_one(seed: int, strength: float, hints: list[int]) -> None:
    log_p = torch.log_softmax(
        torch.randn(len(hints), 40, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 4, -1
    )
    after = tilted(log_p, torch.tensor(hints), strength)
    np.testing.assert_allclose(after.exp().sum(1), 1.0, rtol=1e-12)
    for row, hint in enumerate(hints):
        if hint == NO_HINT:
            assert torch.equal(after[row], log_p[row])
            continue
        others = [token for token in range(40) if token != hint]
        gains = after[row] - log_p[row]
        np.testing.assert_allclose(gains[others], gains[others[0]], atol=1e-11)
        np.testing.assert_allclose(gains[hint] - gains[others[0]], strength, atol=1e-11)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=40), st.sets(st.integers(2, 39)), st.integers(2, 4), st.integers(1, 3))
def test_hints_are_those_of_a_count_over_the_text(text: list[int], cuts: set[int], order: int, least: int) -> None:
    """However the text is divided into chunks."""
    tilt, tokens = NgramTilt(1.0, order, least), torch.tensor(text)
    edges = [1, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    for first, end in zip(edges, edges[1:], strict=False):
        tilt.update(tokens[first - 1 : end])
    counts: dict[tuple[int, ...], Counter[int]] = {}
    for place in range(order - 1, len(text)):
        counts.setdefault(tuple(text[place - order + 1 : place]), Counter())[text[place]] += 1
    for context, followers in counts.items():
        best = min(token for token, count in followers.items() if count == max(followers.values()))
        assert tilt.hint(context) == (best if followers.total() >= least else NO_HINT)
    assert tilt.hint((9,) * (order - 1)) == NO_HINT


def losses(tokens: tuple[int, ...]) -> list[float]:
    book = ledger(np.array(tokens, dtype=np.uint16), 4)
    settings = config("ttt.chunk_tokens=6", "evaluate.tilt_order=2", "evaluate.tilt_least=1", "model.vocab_size=40")
    windowed_score(Bigram(4), book, settings, 6, World.single())  # type: ignore[arg-type]
    return [*book.losses()]


@given(st.lists(st.integers(0, 3), min_size=2, max_size=20))
@settings(max_examples=15, deadline=None)
def test_the_tilt_is_causal_and_normalised(tokens: list[int]) -> None:
    assert_causal(losses, tokens, alphabet=4, context=1)
    assert_normalized(losses, tokens, alphabet=4, context=1, excess=1e-12)


def test_a_text_that_repeats_itself_is_easier_with_hints() -> None:
    tokens, model = np.tile(stream(24), 12), Bigram()
    plain, tilted_book = ledger(tokens), ledger(tokens)
    windowed_score(model, plain, config("evaluate.tilt_strength=0"), 6, World.single())  # type: ignore[arg-type]
    windowed_score(model, tilted_book, config(), 6, World.single())  # type: ignore[arg-type]
    assert tilted_book.total().nats < plain.total().nats - 50
    events = [json.loads(line)["event"] for line in tilted_book.replay().splitlines()]
    assert read_replay(tilted_book.replay()) and events.count("update") == events.count("score") - 1
