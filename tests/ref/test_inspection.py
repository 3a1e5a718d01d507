"""`pgolf-train inspect`: figures of matrices against plain ones, losses in groups that add up."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import brisk
from toys import random_model, small

from pgolf_ref.cli import main
from pgolf_ref.data.pieces import BOS
from pgolf_ref.data.vocabulary import Kind
from pgolf_ref.distributed import World
from pgolf_ref.inspection.losses import ARRAYS, loss_groups
from pgolf_ref.inspection.weights import figures_of, matrix_figures
from pgolf_ref.quant.artifact import export_model, load_model
from pgolf_ref.run import artifact_name, run_seed, weights_name, with_seed


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
    matrices, vectors = figures_of(model, {})
    assert sorted(each.name for each in (*matrices, *vectors)) == sorted(name for name, _ in model.named_parameters())


def test_the_cost_of_rounding_is_near_that_of_a_rounded_matrix() -> None:
    weight = (
        torch.randn(64, 400, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * torch.linspace(0.5, 2, 64)[:, None]
    )
    scales = weight.abs().amax(1) / 31
    rounded = (weight / scales[:, None]).round() * scales[:, None]
    found = matrix_figures("m", rounded, scales)
    assert found.rounding == pytest.approx(float((rounded - weight).norm() / weight.norm()), rel=0.03)
    assert matrix_figures("m", rounded).rounding is None


def test_the_error_is_what_quantisation_changed() -> None:
    """Of a matrix that NumPy rounds: the norm of the difference over that of the matrix."""
    weight = np.random.default_rng(0).normal(size=(5, 7))
    step = np.abs(weight).max(axis=1, keepdims=True) / 7
    rounded = np.round(weight / step) * step
    found = matrix_figures("m", torch.from_numpy(rounded), before=torch.from_numpy(weight))
    assert found.error == pytest.approx(np.linalg.norm(rounded - weight) / np.linalg.norm(weight), rel=1e-12)
    assert matrix_figures("m", torch.from_numpy(rounded)).error is None
    zero = torch.zeros(2, 3)
    assert (matrix_figures("m", zero, before=zero).error, matrix_figures("m", zero + 1, before=zero).error) == (0.0, math.inf)


STREAMS = st.lists(
    st.tuples(
        st.sampled_from([BOS, 5, 6, 7]),
        st.integers(0, 9),
        st.sampled_from([int(k) for k in Kind]),
        st.floats(0, 20),
        st.floats(0, 9),
    ),
    min_size=1,
    max_size=80,
)


def interval(label: str) -> tuple[int, int]:
    least, _, most = label.partition(" to ")
    return int(least), int(most or least)


@settings(max_examples=60, deadline=None)
@given(STREAMS)
def test_groups_of_losses_are_those_of_a_plain_count(rows: list[tuple[int, int, int, float, float]]) -> None:
    tokens, sizes, kinds, nats, expected = (np.array(column) for column in zip(*rows, strict=True))
    found = loss_groups({"tokens": tokens, "bytes": sizes, "kinds": kinds, "nats": nats, "expected": expected})
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
        if group.what == "class":
            own = [number for number, kind in enumerate(kinds) if Kind(kind).name.lower().replace("_", " ") == group.label]
        elif group.what == "expected nats":
            own = [number for number, value in enumerate(expected) if int(value) == interval(group.label)[0]]
        else:
            least, most = interval(group.label)
            own = [number for number, value in enumerate(values[group.what]) if least <= value <= most]
        assert group.tokens == len(own) and group.loss == pytest.approx(sum(nats[number] for number in own) / len(own))
        assert group.expected == pytest.approx(sum(expected[number] for number in own) / len(own))
        size = sum(sizes[number] for number in own)
        assert group.bpb == (pytest.approx(group.loss * len(own) / math.log(2) / size) if size else math.inf)
    for what in ("place", "length", "bytes", "class", "expected nats"):
        assert sum(group.tokens for group in found if group.what == what) == len(tokens)


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    path = tmp_path / "model.pgolf"
    path.write_bytes(export_model(random_model(small()), small()))
    return path


def test_the_verb_tells_the_tables(artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    losses = tmp_path / "losses.npz"
    np.savez(
        losses,
        tokens=np.array([5, BOS, 6], np.uint16),
        bytes=np.array([1, 0, 2]),
        kinds=np.array([5, 0, 4], np.uint8),
        nats=np.array([1.0, 2.0, 3.0]),
        expected=np.array([1.5, 0.5, 2.0]),
    )
    log, picture = tmp_path / "train_seed42.log", tmp_path / "losses.png"
    (tmp_path / "train_seed42.events.jsonl").write_text('{"event": "phase", "name": "train", "seconds": 12.5, "budget": 600.0}\n')
    assert main(["inspect", str(artifact), "--losses", str(losses), "--log", str(log), "--picture", str(picture)]) == 0
    text = capsys.readouterr().out
    assert "effective rank" in text and "embedding.table" in text and "blocks.0.attention.gain" in text and "val_bpb" in text
    assert "word start" in text and re.search(r"train +12\.5 +600\.0s", text)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert main(["inspect", str(artifact), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["losses"] == told["phases"] == [] and {"name", "effective_rank", "condition", "rounding"} < set(told["matrices"][0])
    assert main(["inspect", str(artifact), "--picture", str(picture)]) == 2
    assert "--losses" in capsys.readouterr().err
    assert main(["inspect", str(artifact), "--log", str(tmp_path / "absent.log")]) == 1
    assert "tells no phases" in capsys.readouterr().err


@pytest.mark.parametrize("broken", [b"", b"no archive", None])
def test_a_file_that_holds_no_losses_is_refused(
    artifact: Path, tmp_path: Path, broken: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    losses = tmp_path / "losses.npz"
    if broken is None:
        np.savez(losses, **{name: np.arange(3 - (name == "bytes")) for name in ARRAYS})
    else:
        losses.write_bytes(broken)
    assert main(["inspect", str(artifact), "--losses", str(losses)]) == 1
    assert "holds no losses" in capsys.readouterr().err
    assert main(["inspect", str(tmp_path / "absent.pgolf")]) == 1
    assert "name an artifact" in capsys.readouterr().err


def test_errors_are_told_against_the_weights_of_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The artifact of a run, with the weights that it kept; none without them; those of another model are refused."""
    out, kept = tmp_path / "out", tmp_path / "weights"
    config = brisk("export.matrix_bits=4", "export.bits=['out=32']")
    run_seed(with_seed(config, 5, config.data.path), "# script", out, World.single(), weights=kept)
    capsys.readouterr()
    artifact, weights = out / artifact_name(5), kept / weights_name(5)
    assert main(["inspect", str(artifact), "--weights", str(weights), "--format", "json"]) == 0
    told = {row["name"]: row for row in json.loads(capsys.readouterr().out)["matrices"]}
    loaded = {name: each.detach().numpy() for name, each in load_model(artifact.read_bytes()).named_parameters()}
    with np.load(weights) as before:
        for name, row in told.items():
            change = np.linalg.norm(loaded[name].astype(np.float64) - before[name])
            assert row["error"] == pytest.approx(change / np.linalg.norm(before[name]), rel=1e-5)
    assert all(row["error"] == 0 for name, row in told.items() if name.endswith("attention.out"))
    assert all(0.01 < row["error"] < 0.3 for name, row in told.items() if name.endswith("attention.query"))
    assert main(["inspect", str(artifact)]) == 0
    assert "error" in capsys.readouterr().out
    np.savez(tmp_path / "other.npz", some=np.zeros(3))
    assert main(["inspect", str(artifact), "--weights", str(tmp_path / "other.npz")]) == 1
    assert "not those of this artifact" in capsys.readouterr().err
    assert main(["inspect", str(artifact), "--weights", str(artifact)]) == 1
    assert "holds no weights" in capsys.readouterr().err
