"""The edition: what ships is consistent, a reviewer's own is read, a broken one is refused in one sentence."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from submissions import submission

from pgolf_check.audit import standing
from pgolf_check.errors import UserError
from pgolf_check.resources import rulebook_dir
from pgolf_check.rules.edition import Grandfathered, load_edition
from pgolf_check.rules.rulebook import load_rulebook
from pgolf_check.submission.model import File


def shipped(folder: Path) -> str:
    """A copy of the shipped edition in `folder`; returns the TOML."""
    (folder / "leaderboard.csv").write_text((rulebook_dir() / "leaderboard.csv").read_text(encoding="utf-8"), encoding="utf-8")
    return (rulebook_dir() / "edition.toml").read_text(encoding="utf-8")


def test_full_splits_imply_the_same_bytes() -> None:
    validation = load_edition(None).validation
    for split in validation.splits:
        if split.name != "sp1024 at launch":
            assert math.isclose(split.bytes, validation.bytes, rel_tol=validation.tolerance)


def test_leaderboard_rows_are_consistent() -> None:
    rows = load_edition(None).leaderboard
    assert len(rows) == 48
    for row in rows:
        if len(row.seeds_bpb) > 1:
            assert math.isclose(sum(row.seeds_bpb) / len(row.seeds_bpb), row.mean_bpb, abs_tol=1e-5), row.folder


def test_grandfathered_records_name_rules_of_the_book() -> None:
    for merged in load_edition(None).grandfathered:
        assert set(merged.rules) <= set(load_rulebook().rules)
        assert re.fullmatch("[0-9a-f]{64}", merged.script_sha256)


def test_a_reviewers_edition_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(shipped(tmp_path).replace("16_000_000", "1_000_000"), encoding="utf-8")
    assert load_edition(str(file)).artifact_bytes == 1_000_000


def test_an_edition_that_extends_the_shipped_one_states_what_differs(tmp_path: Path) -> None:
    shipped(tmp_path)
    file = tmp_path / "mine.toml"
    own = 'extends = "shipped"\nname = "mine"\ngrandfathered = []\n[artifact]\nbytes = 5\n[training]\nseconds = 7\n'
    file.write_text(own, encoding="utf-8")
    mine, base = load_edition(str(file)), load_edition(None)
    assert (mine.name, mine.artifact_bytes, mine.training.seconds, mine.grandfathered) == ("mine", 5, 7.0, ())
    assert mine.training.grace == base.training.grace and mine.validation == base.validation
    file.with_name("other.toml").write_text(own.replace("shipped", "another"), encoding="utf-8")
    with pytest.raises(UserError, match="extends is 'another'"):
        load_edition(str(file.with_name("other.toml")))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[training]", "[trained]", "lacks 'training'"),
        ("bytes = 16_000_000", 'bytes = "16 MB"', "wrong kind"),
        ("bytes = 16_000_000", "bytes = -1", "wrong kind"),
        ("[artifact]", "[artifact", "not TOML"),
        ('"leaderboard.csv"', '"other.csv"', "wrong kind"),
        ("from = 2026-03-18", 'from = "soon"', "wrong kind"),
    ],
)
def test_a_broken_edition_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    content = shipped(tmp_path)
    assert old in content
    file = tmp_path / "broken.toml"
    file.write_text(content.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match="broken.toml") as error:
        load_edition(str(file))
    assert told in str(error.value)


def test_a_missing_edition_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--edition"):
        load_edition(str(tmp_path / "none.toml"))


def test_a_merged_record_is_its_script_with_its_claim() -> None:
    script = b"print('a record')\n"
    merged = Grandfathered(("V102",), "a", hashlib.sha256(script).hexdigest(), "one run", 1.081)
    edition = replace(load_edition(None), grandfathered=(merged,))
    record = submission(files=(File("train_gpt.py", len(script), script),))
    assert standing(record, edition) == {"V102"}
    assert record.metadata is not None
    assert not standing(replace(record, metadata=replace(record.metadata, val_bpb=1.07)), edition)
    assert not standing(replace(record, files=(File("train_gpt.py", 9, b"import os"),)), edition)
