"""The probabilities of all tokens at one position must not sum to more than 1."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pgolf_check.dynamic import sum_test
from pgolf_check.testing.scorer import Scorer, check_alphabet, losses_by_position, replaced


def assert_normalized(
    score: Scorer, tokens: Sequence[int], *, alphabet: int, context: int = 0, excess: float = sum_test.FLOAT32_EXCESS
) -> None:
    """Puts each token at each position, all else equal, and asserts that exp(-loss) sums to at most 1 + `excess`.

    `alphabet` runs a position. A sum below 1 only harms the scorer and passes. See `dynamic.sum_test` for the proof.
    Raises AssertionError; ValueError for tokens outside range(alphabet).
    """
    check_alphabet(tokens, alphabet)
    for position in losses_by_position(score, tokens, context):
        losses = {
            token: losses_by_position(score, replaced(tokens, position, token), context)[position] for token in range(alphabet)
        }
        if sum_test.exceeds_one(losses, excess):
            total = math.fsum(math.exp(min(-loss, 700.0)) for loss in losses.values())
            raise AssertionError(
                f"the probabilities of the {alphabet} tokens at position {position} sum to {total:.6g}, which is more than 1, so that"
                f" the distribution is not normalised or depends on the token it scores: tokens={list(tokens)}"
            )
