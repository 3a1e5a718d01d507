"""A recipe in one file: it runs alone, gives what the package gives, and is the same each time."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner
from corpora import prepared
from runs import brisk

from pgolf_ref.bundle.configuration import expression, shared
from pgolf_ref.bundle.program import bundle, readable
from pgolf_ref.cli import cli
from pgolf_ref.config import Config, load_recipe, recipe_names
from pgolf_ref.distributed import World
from pgolf_ref.log import RULE
from pgolf_ref.run import artifact_name, ledger_name, log_name, run_seed, with_seed
from pgolf_ref.script import encoded

SEED = 7
ALONE = """
import importlib.machinery, runpy, sys

class Environment:
    blocked = {"pgolf_ref", "pgolf_check", "click", "rich", "zstandard", "huggingface_hub", "jsonschema", "libcst", "python_minifier"}

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.blocked:
            return importlib.machinery.ModuleSpec(name, self)

    def create_module(self, spec):
        raise ImportError(f"{spec.name} is not part of a submission's environment")

    def exec_module(self, module):
        pass

sys.meta_path.insert(0, Environment())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
assert not [name for name in sys.modules if name.startswith("pgolf")]
"""


def alone(script: str, folder: Path, *launcher: str, told: Mapping[str, str] | None = None) -> Path:
    """Run a script in a folder of its own with what a submission may import; where its results lie.

    With `told` it is told by its environment, and not by its command line.
    """
    folder.mkdir()
    (folder / "train_gpt.py").write_bytes(encoded(script))
    (folder / "start.py").write_text(ALONE, encoding="utf-8")
    arguments = ["train_gpt.py", *(() if told else ("--seed", str(SEED), "--data", str(prepared()), "--out", "run"))]
    environment = {**{k: v for k, v in os.environ.items() if k != "PYTHONPATH"}, "OMP_NUM_THREADS": "1", **(told or {})}
    command = [sys.executable, *launcher, "start.py", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the package gives for the same script and seed."""
    out = tmp_path_factory.mktemp("package")
    run_seed(with_seed(brisk(), SEED, str(prepared())), bundle(brisk()), out, World.single())
    return out


def told(log: Path) -> list[str]:
    """Losses, sizes and scores of a log, without times."""
    lines = log.read_text(encoding="utf-8").split(RULE, 2)[2].splitlines()
    figures = [re.sub(r" (train_time|step_avg|eval_time):\S+", "", line) for line in lines if re.search(r"_loss:|Serialized", line)]
    assert len(figures) > 6
    return figures


@pytest.mark.parametrize("pack", [False, True])
def test_it_gives_what_the_package_gives(package: Path, tmp_path: Path, pack: bool) -> None:
    script = bundle(brisk(), pack=pack)
    out = alone(script, tmp_path / "alone")
    assert told(out / log_name(SEED)) == told(package / log_name(SEED))
    for name in (artifact_name(SEED), ledger_name(SEED)):
        assert (out / name).read_bytes() == (package / name).read_bytes()
    log = (out / log_name(SEED)).read_text(encoding="utf-8")
    assert log.startswith(script) and f"Code size: {len(encoded(script))} bytes" in log


def test_the_environment_tells_a_cheap_run_and_the_log_says_so(tmp_path: Path) -> None:
    """By the variables of the scripts of records; here the tokenizer lies elsewhere."""
    data, tokenizer = tmp_path / "shards", tmp_path / "tokens.model"
    shutil.copytree(prepared(), data)
    (data / "tokenizer.model").rename(tokenizer)
    told = {
        "DATA_PATH": str(data),
        "TOKENIZER_PATH": str(tokenizer),
        "SEED": "11",
        "ITERATIONS": "2",
        "MAX_WALLCLOCK_SECONDS": "60",
    }
    out = alone(bundle(brisk()), tmp_path / "alone", told={**told, "TIED_EMBED_LR": "0.25", "SCALAR_LR": "0"})
    log = (out / log_name(11)).read_text(encoding="utf-8").split(RULE, 2)[2]
    for stated in (
        f"tokenizer_path={tokenizer}\n",
        f"shards pattern={data}/",
        "iterations:2 ",
        "max_wallclock_seconds:60.000",
        "embed_lr:0.25 scalar_lr:0.0\nseed:11\n",
        "step:2/2 ",
    ):
        assert stated in log
    assert "run.steps" not in log


def test_two_ranks_give_what_the_package_gives(package: Path, tmp_path: Path) -> None:
    out = alone(bundle(brisk()), tmp_path / "alone", "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
    results = [json.loads((folder / ledger_name(SEED)).read_text().splitlines()[-1]) for folder in (out, package)]
    assert results[0]["tokens"] == results[1]["tokens"] and results[0]["nats"] == pytest.approx(results[1]["nats"], rel=1e-4)


def test_the_same_recipe_gives_the_same_bytes(tmp_path: Path) -> None:
    """In another process with another order of hashes; the verb tells how many there are."""
    files = [tmp_path / name for name in ("one.py", "two.py")]
    arguments = [["bundle", "--recipe", "tiny", "--packed", "--out", str(file)] for file in files]
    other = {**os.environ, "PYTHONHASHSEED": "77"}
    done = subprocess.run([sys.executable, "-m", "pgolf_ref", *arguments[0]], env=other, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"{files[0].stat().st_size:,} bytes" in CliRunner().invoke(cli, arguments[1]).output
    assert files[0].read_bytes() == files[1].read_bytes()


def test_it_states_every_value_but_seed_and_data_folder() -> None:
    def stated(*overrides: str) -> str:
        return ast.unparse(ast.fix_missing_locations(expression(shared(brisk(*overrides)))))

    assert stated("run.seed_init=9", "run.seed_data=9", "data.path=elsewhere") == stated()
    for override in ("model.layers=2", "optim.eps=1e-9", "ttt.lr=0.5", "export.codec=lzma", "model.tied=false"):
        assert stated(override) != stated()


@pytest.mark.parametrize("recipe", recipe_names())
def test_the_configuration_as_an_expression_is_the_configuration(recipe: str) -> None:
    config = load_recipe(recipe)
    kinds = {name.rpartition(".")[2]: kind for name, kind in _classes(config).items()}
    text = re.sub(r"pgolf_ref[\w.]*\.(\w+)\(", r"\1(", ast.unparse(ast.fix_missing_locations(expression(config))))
    assert eval(text, kinds) == config


def _classes(table: object) -> dict[str, type]:
    found = {f"{type(table).__module__}.{type(table).__name__}": type(table)}
    for name in getattr(table, "__dataclass_fields__", ()):
        found |= _classes(getattr(table, name)) if hasattr(getattr(table, name), "__dataclass_fields__") else {}
    return found


def test_only_what_is_needed_is_there() -> None:
    text = readable(Config())
    assert "def run_seed(" in text and "def train(" in text
    for other in ("click", "python_minifier", "def run_experiment", "def load_recipe", "def prepare", "pgolf_ref"):
        assert other not in text
