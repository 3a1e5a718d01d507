"""The mutations: each breaks its rule in a legal script of the fixtures, which keeps every rule before, and leaves alone what has no place for it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mutants import Tally, claimed_lines, functions, judged, measure, mutated, new_lineage, report
from mutations import MUTATIONS, Mutation

from fixtures import BASE
from pgolf_check.model import Severity
from pgolf_check.submission.load import load

EDITS = {
    "target_ids: Tensor) -> Tensor:": "target_ids: Tensor | None = None) -> Tensor:",
    "        return F.cross_entropy(logits": "        if target_ids is None:\n            return logits\n        return F.cross_entropy(logits",
    "            sums[0] += model(x, y).to(torch.float64) * y.numel()": """            logits = model(x)
            losses = F.cross_entropy(logits.flatten(0, 1).float(), y.flatten(), reduction="none")
            first = max(args.train_seq_len - 64, 0) if window else 0
            sums[0] += losses[first:].double().sum()""",
    '        space[token] = piece.startswith("\\u2581")\n': "",
    '        base[token] = 1 if sp.is_byte(token) else len(piece.removeprefix("\\u2581").encode("utf-8"))': """\
        if piece.startswith("\\u2581"):
            space[token] = True
            piece = piece[1:]
        base[token] = len(piece.encode("utf-8"))""",
}
REVIEWED = {"C202", "C303"}
UNMASKED = "C106"
"""Needs packed rows, which the script has not."""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("legal") / "records" / "track_10min_16mb" / "submission"
    shutil.copytree(BASE, folder)
    path = folder / "train_gpt.py"
    text = path.read_text()
    for old, new in EDITS.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text)
    return path


def test_the_script_is_legal(script: Path) -> None:
    assert judged(script, script.read_text()) == {}


@pytest.mark.parametrize("mutation", [m for m in MUTATIONS if m.rule != UNMASKED], ids=lambda m: m.rule)
def test_a_mutant_breaks_its_rule(script: Path, mutation: Mutation) -> None:
    mutant = mutated(mutation, script.read_text(), claimed_lines(load(str(script))))
    assert mutant is not None
    assert judged(script, mutant).get(mutation.rule) is (Severity.REVIEW if mutation.rule in REVIEWED else Severity.BLOCK)


def test_a_mask_of_token_ids_is_left_out() -> None:
    mutation, _ = (m for m in MUTATIONS if m.rule == UNMASKED)
    text = "inside = (input_ids[:, 1:] != BOS).to(x.dtype)\nx = x[:, 1:] + g * x[:, :-1] * inside\nz = x * g\n"
    assert mutated(mutation, text, frozenset()) == text.replace(" * inside", "")
    assert mutated(mutation, "x = g * x\n", frozenset()) is None


def test_attention_within_documents_needs_an_embedding_and_a_mask(script: Path) -> None:
    _, mutation = (m for m in MUTATIONS if m.rule == UNMASKED)
    together = "        x = self.tok_emb(input_ids) + self.pos_emb(positions)\n"
    apart = "        x = self.tok_emb(input_ids)\n        x = x + self.pos_emb(positions)\n"
    assert together in script.read_text()
    text = script.read_text().replace(together, apart)
    mutant = mutated(mutation, text, frozenset())
    assert mutant is not None and judged(script, mutant).get(UNMASKED) is Severity.REVIEW
    for change in (
        ("is_causal=True", "other=True"),
        ("nn.Embedding(", "other("),
        ("import", "import flash_attn_interface\nimport"),
    ):
        assert mutated(mutation, text.replace(*change), frozenset()) is None


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.rule)
def test_no_place_no_mutant(mutation: Mutation) -> None:
    assert mutated(mutation, "def f(x):\n    return x + 1\n", frozenset({1, 2})) is None
    assert mutated(mutation, "def f(:\n", frozenset()) is None


def test_scripts_of_one_lineage(script: Path) -> None:
    names = functions(script.read_text())
    assert "eval_val" in names
    assert new_lineage(names, [])
    assert not new_lineage(names, [frozenset({"alone"}), names | {"more"}])
    assert new_lineage(frozenset("abc"), [frozenset("cde")])
    assert not new_lineage(functions("def f(:\n"), [])


def test_each_lineage_counts_once(script: Path) -> None:
    tally = Tally(MUTATIONS[0])
    measure(script, [tally])
    measure(script, [tally])
    assert (tally.tried, tally.blocked, tally.reviewed, tally.before) == (1, 1, 0, 0)
    assert f"| {tally.mutation.rule} | {tally.mutation.told} | 1 | 1 | 1 | 0 |" in report([tally])
