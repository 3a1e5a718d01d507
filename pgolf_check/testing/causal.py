"""The score of a position must not depend on tokens behind it, nor on other documents where documents are independent."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import chain

from pgolf_check.dynamic import flip
from pgolf_check.testing.scorer import Scorer, check_alphabet, losses_by_position, replaced

TOLERANCE = 1e-6
"""Nats by which the scores of equal runs may differ."""


def assert_causal(
    score: Scorer, tokens: Sequence[int], *, alphabet: int, context: int = 0, tolerance: float = TOLERANCE, seed: int = 0
) -> None:
    """Changes the stream from each position on and asserts that the scores before it stay the same (see `dynamic.flip`).

    At each position the token alone is changed, then it and all behind it, `seed` choosing by what: 2 runs a position, and 2 of
    the stream as it is. Finds look-ahead, updates before the score, later epochs, minima of passes, calibration on the stream,
    state that outlives a run, and an order of scoring that is chosen from the stream. A dependence of a token
    on itself is the subject of `assert_normalized`.
    Raises AssertionError; ValueError for tokens outside range(alphabet).
    """
    check_alphabet(tokens, alphabet)
    losses = losses_by_position(score, tokens, context)
    again = losses_by_position(score, tokens, context)
    _assert_repeatable(losses, again, tokens, tolerance)
    allowed = flip.tolerance(losses, again, tolerance)
    order = list(losses)
    for position in order:
        for changed in _flips(tokens, position, alphabet, random.Random(seed + position)):
            found = flip.changes(order, losses, order, losses_by_position(score, changed, context), [position], allowed)
            if found:
                raise AssertionError(
                    f"the loss of position {found[0].position} changes from {found[0].before:.6g} to {found[0].after:.6g} nats with"
                    f" tokens from position {position} on, which it must not know: tokens={list(tokens)}, changed={list(changed)}"
                )


def assert_documents_independent(
    score: Scorer, documents: Sequence[Sequence[int]], *, context: int = 0, tolerance: float = TOLERANCE
) -> None:
    """Asserts that each document, scored within the concatenation of all, has the losses that it has alone.

    For evaluation code that promises to start every document from the artifact. The first `context` tokens of a document are not
    compared. State that is carried on to later documents is not illegal in itself. Raises AssertionError.
    """
    whole = losses_by_position(score, list(chain.from_iterable(documents)), context)
    offset = 0
    for number, document in enumerate(documents):
        for position, loss in losses_by_position(score, document, context).items():
            if not abs(whole[offset + position] - loss) <= tolerance and whole[offset + position] != loss:
                raise AssertionError(
                    f"the loss of position {position} of document {number} is {loss:.6g} nats alone and"
                    f" {whole[offset + position]:.6g} beside the others, whose state it must not share:"
                    f" documents={[list(each) for each in documents]}"
                )
        offset += len(document)


def _assert_repeatable(first: dict[int, float], second: dict[int, float], tokens: Sequence[int], tolerance: float) -> None:
    for position, loss in first.items():
        if not abs(loss - second[position]) <= tolerance and loss != second[position]:
            raise AssertionError(
                f"the loss of position {position} is {loss:.6g} nats in one run and {second[position]:.6g} in the next on the same"
                f" stream, so that state outlives a run, or the tolerance of {tolerance:g} is too small: tokens={list(tokens)}"
            )


def _flips(tokens: Sequence[int], position: int, alphabet: int, rng: random.Random) -> Iterator[tuple[int, ...]]:
    """Streams that first differ at `position`: there only, and at every position from there on."""
    yield replaced(tokens, position, _other(tokens[position], alphabet, rng))
    yield (*tokens[:position], *(_other(token, alphabet, rng) for token in tokens[position:]))


def _other(token: int, alphabet: int, rng: random.Random) -> int:
    return (token + rng.randrange(1, alphabet)) % alphabet
