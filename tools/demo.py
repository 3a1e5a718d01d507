"""The demonstration behind `make demo`: real text in, a legal submission out, and an illegal twin that is caught.

Everything is written below one folder. Exit code 0 if every verdict is the expected one, else 1.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from fixtures import BASE, build, cases  # noqa: E402  (a module of the tests)
from pgolf_ref.bundle.program import readable  # noqa: E402
from pgolf_ref.config import Config, load_recipe  # noqa: E402

TRACK = Path("records", "track_non_record_16mb")
ILLEGAL_FIXTURE = "C301/reject_train_before_scoring"
SCRIPT = "train_gpt.py"
RECIPE, STEPS = "tiny", "run.steps=100"
LOADS_MODEL = re.compile(r"^ +model = restored_model\(artifact, .*\n", re.MULTILINE)
TRAINS_ON_EVERYTHING = """\
        everything = torch.from_numpy(dataset.validation.astype("int64"))
        Learner(model, world).train(everything, 0.002)
"""


class DemoFailed(Exception):
    """A command failed, or a verdict was not the expected one."""


PATIENCE = "120"
"""Seconds for a submission, on a machine with other things to do."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "demo", help="folder to write; what it holds is replaced")
    out: Path = parser.parse_args().out.resolve()
    shutil.rmtree(out, ignore_errors=True)
    began = time.monotonic()
    try:
        demonstrate(out)
    except DemoFailed as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    print(f"\nDone in {time.monotonic() - began:.0f} s. Look at:")
    for path in ("data/edition.toml", TRACK / "tiny", TRACK / "twin"):
        print(f"  {shown(out / path)}")
    return 0


def demonstrate(out: Path) -> None:
    data, legal, twin = out / "data", out / TRACK / "tiny", out / TRACK / "twin"
    edition = data / "edition.toml"
    with step("1/5 Judge a legal and an illegal fixture"):
        expect(BASE, "clean (paper, static)")
        expect(fixture(ILLEGAL_FIXTURE, out / "fixture"), "illegal (paper, static)", finding="C301")
    with step("2/5 Prepare data from the standard library's sources"):
        train("prepare", "--corpus", "stdlib", "--max-bytes", "4000000", "--vocab-size", "1024", "--out", str(data))
    with step("3/5 Train, export and score the recipe `tiny` for three seeds (100 steps)"):
        train("run", "--recipe", RECIPE, "--set", STEPS, "--data", str(data), "--out", str(legal))
    with step("4/5 Judge the submission against the edition of its data"):
        expect(legal, "clean (paper, static)", edition=edition)
    with step("5/5 Judge its twin, whose evaluation trains on the validation split before scoring"):
        make_twin(legal, load_recipe(RECIPE, [STEPS]), twin)
        expect(twin, "illegal (paper, static)", edition=edition, finding="C301")


def make_twin(legal: Path, config: Config, twin: Path) -> None:
    """A copy of a submission whose script, in full words, trains the model on the whole validation split before anything is scored."""
    shutil.copytree(legal, twin)
    (twin / SCRIPT).write_text(trained_on_everything(readable(config)), encoding="utf-8")


def trained_on_everything(script: str) -> str:
    """The script of that twin."""
    changed, count = LOADS_MODEL.subn(lambda found: found[0] + TRAINS_ON_EVERYTHING, script)
    if count != 1:
        raise DemoFailed("the evaluation no longer loads its model as the twin expects: adapt tools/demo.py")
    return changed


def fixture(name: str, destination: Path) -> Path:
    """A fixture as a whole submission."""
    return build(next(case for case in cases() if case.name == name), destination)


def train(*arguments: str) -> None:
    """Run pgolf-train; its own lines are the progress."""
    # Threads that sleep at a barrier, rather than spin, share two cores with whatever else runs there.
    environment = {"OMP_WAIT_POLICY": "passive", **os.environ}
    if subprocess.run([sys.executable, "-m", "pgolf_ref", *arguments], cwd=ROOT, env=environment).returncode:
        raise DemoFailed(f"`pgolf-train {arguments[0]}` failed, see above")


def expect(path: Path, verdict: str, edition: Path | None = None, finding: str | None = None) -> None:
    """Judge a submission, print the report, and insist on the verdict and on a blocking finding with a trace of several steps."""
    reference = ["--edition", str(edition)] if edition else []
    command = [sys.executable, "-m", "pgolf_check", "check", str(path), *reference, "--timeout", PATIENCE]
    report = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout
    told = f" --edition {shown(edition)}" if edition else ""
    print(f"$ pgolf-check check {shown(path)}{told} --timeout {PATIENCE}\n{report}", flush=True)
    if not report.partition("\n")[0].endswith(f": {verdict}"):
        raise DemoFailed(f"expected the verdict {verdict!r} for {shown(path)}")
    if finding and not (f"block {finding} " in report and "  2. " in report):
        raise DemoFailed(f"expected a finding of {finding} with its trace for {shown(path)}")


def shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


@contextmanager
def step(title: str) -> Iterator[None]:
    print(f"== {title}", flush=True)
    began = time.monotonic()
    yield
    print(f"   ({time.monotonic() - began:.0f} s)\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
