"""The ledger that keeps what its distributions expected."""

import numpy as np
import pytest
import torch
from streams import ledger, stream, table

from pgolf_ref.distributed import World
from pgolf_ref.evaluate.ledger import LedgerError
from pgolf_ref.evaluate.observed import ObservedLedger


def test_what_a_distribution_expects_is_its_entropy_and_scores_are_the_same() -> None:
    tokens = stream(9)
    logits = 3 * torch.randn(8, 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    logits[0, 1:] = -torch.inf  # certain
    observed, plain = ObservedLedger(tokens, table(), World.single()), ledger(tokens)
    for book in (observed, plain):
        for ranges, rows in (([(1, 3), (6, 9)], [0, 1, 5, 6, 7]), ([(3, 6)], [2, 3, 4])):
            book.reveal(book.commit_ranges(ranges, logits[rows]))
        book.agree(1, 9)
    shares = torch.softmax(logits, -1).numpy()
    expected = [-sum(p * np.log(p) for p in row if p > 0) for row in shares]
    np.testing.assert_allclose(observed.entropies(), expected, atol=1e-12)
    assert observed.total() == plain.total()


def test_nothing_is_told_before_the_end() -> None:
    with pytest.raises(LedgerError):
        ObservedLedger(stream(9), table(), World.single()).entropies()
