"""`pgolf-train inspect`: figures of matrices against plain ones, losses in groups that add up."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import random_model, small

from pgolf_ref.cli import main
from pgolf_ref.data.pieces import BOS
from pgolf_ref.inspection import figures_of, loss_groups, matrix_figures
from pgolf_ref.quant.artifact import export_model


def test_the_effective_rank_and_the_condition_of_known_matrices() -> None:
    orthogonal = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64))[0]
    found = matrix_figures("m", 3 * orthogonal)
    assert found.effective_rank == pytest.approx(6) and found.condition == pytest.approx(1) and found.outlier == pytest.approx(1)
    thin = torch.outer(torch.tensor([1.0, 2.0, 30.0]), torch.ones(4))
    found = matrix_figures("m", thin)
    assert found.effective_rank == pytest.approx(1, abs=1e-3) and found.condition > 1e6 and found.outlier == pytest.approx(15)
    zero = matrix_figures("m", torch.zeros(2, 3))
    assert (zero.effective_rank, zero.condition, zero.outlier) == (0.0, math.inf, math.inf)
    two = matrix_figures("m", torch.diag(torch.tensor([3.0, 1.0])))
    assert two.effective_rank == pytest.approx(math.exp(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25))))
    assert two.condition == pytest.approx(3)


def test_every_parameter_is_told_once() -> None:
    model = random_model(small())
    matrices, vectors = figures_of(model)
    assert sorted(each.name for each in (*matrices, *vectors)) == sorted(name for name, _ in model.named_parameters())


STREAMS = st.lists(st.tuples(st.sampled_from([BOS, 5, 6, 7]), st.integers(0, 9), st.floats(0, 20)), min_size=1, max_size=80)


@settings(max_examples=60, deadline=None)
@given(STREAMS)
def test_groups_of_losses_are_those_of_a_plain_count(rows: list[tuple[int, int, float]]) -> None:
    tokens, sizes, nats = (np.array(column) for column in zip(*rows, strict=True))
    found = loss_groups({"tokens": tokens, "bytes": sizes, "nats": nats})
    documents: list[list[int]] = [[]]
    places = []
    for number, token in enumerate(tokens):
        if token == BOS:
            documents.append([])
        documents[-1].append(number)
        places.append(0 if token == BOS else len(documents[-1]) - (documents[-1][0] != number and tokens[documents[-1][0]] == BOS))
    length_of = {number: len(own) - (tokens[own[0]] == BOS) for own in documents for number in own}
    values = {"place": places, "length": [length_of[number] for number in range(len(tokens))], "bytes": sizes}
    for group in found:
        own = [number for number, value in enumerate(values[group.what]) if group.least <= value <= group.most]
        assert group.tokens == len(own) and group.loss == pytest.approx(sum(nats[number] for number in own) / len(own))
        size = sum(sizes[number] for number in own)
        assert group.bpb == (pytest.approx(group.loss * len(own) / math.log(2) / size) if size else math.inf)
    assert all(sum(group.tokens for group in found if group.what == what) == len(tokens) for what in values)


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    path = tmp_path / "model.pgolf"
    path.write_bytes(export_model(random_model(small()), small()))
    return path


def test_the_verb_tells_the_tables(artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    losses = tmp_path / "losses.npz"
    np.savez(losses, tokens=np.array([5, BOS, 6], np.uint16), bytes=np.array([1, 0, 2]), nats=np.array([1.0, 2.0, 3.0]))
    assert main(["inspect", str(artifact), "--losses", str(losses)]) == 0
    text = capsys.readouterr().out
    assert "effective rank" in text and "embedding.table" in text and "blocks.0.attention.gain" in text and "val_bpb" in text
    assert main(["inspect", str(artifact), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["losses"] == [] and {"name", "effective_rank", "condition"} < set(told["matrices"][0])


@pytest.mark.parametrize("broken", [b"", b"no archive", None])
def test_a_file_that_holds_no_losses_is_refused(
    artifact: Path, tmp_path: Path, broken: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    losses = tmp_path / "losses.npz"
    if broken is None:
        np.savez(losses, tokens=np.arange(3), bytes=np.arange(2), nats=np.arange(3.0))
    else:
        losses.write_bytes(broken)
    assert main(["inspect", str(artifact), "--losses", str(losses)]) == 1
    assert "holds no losses" in capsys.readouterr().err
    assert main(["inspect", str(tmp_path / "absent.pgolf")]) == 1
    assert "name an artifact" in capsys.readouterr().err
