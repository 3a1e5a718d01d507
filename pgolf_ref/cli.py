"""pgolf-train: one short function per verb, and the one place where errors become sentences and exit codes.

Exit codes: 0 done, 1 something that the message tells how to mend (a run that has diverged, too), 2 wrong usage, 3 a defect of this
program, 130 interrupted.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from pgolf_ref.errors import UserError

DONE, FAILED, USAGE, DEFECT, INTERRUPTED = 0, 1, 2, 3, 130
SHARE, COUNT, SIZE = click.FloatRange(0, 1, min_open=True, max_open=True), click.IntRange(0), click.IntRange(1)
GO_ON = "run the same command again to go on where it stopped"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    try:
        cli.main(arguments, prog_name="pgolf-train", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return USAGE
    except UserError as error:
        return _tell(str(error), FAILED)
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        return _tell(f"{error.strerror or error}{place}; what is finished is kept, {GO_ON}", FAILED)
    except (KeyboardInterrupt, click.Abort):
        return _tell(f"interrupted; what is finished is kept, {GO_ON}", INTERRUPTED)
    except Exception:  # noqa: BLE001  (the boundary: a defect is told with its trace)
        import traceback

        traceback.print_exc()
        return _tell("this is a defect of pgolf-train; please report it with the lines above", DEFECT)
    return DONE


def _tell(message: str, code: int) -> int:
    print(f"pgolf-train: {message}", file=sys.stderr)
    return code


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Train, export and score a small language model, and write a submission of it."""


@cli.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("data"), show_default=True, help="Folder to write.")
@click.option("--corpus", default="stdlib", show_default=True, help="Text file, .jsonl file, folder, or stdlib.")
@click.option("--published", help="Fetch the challenge's shards of this name instead, such as sp1024.")
@click.option("--train-shards", type=SIZE, default=80, show_default=True, help="Training shards to fetch, with --published.")
@click.option("--vocab-size", type=click.IntRange(260, 65536), default=1024, show_default=True, help="Pieces of the tokenizer.")
@click.option("--validation-share", type=SHARE, default=0.02, show_default=True, help="Share of documents, by hash of the text.")
@click.option("--validation-documents", type=COUNT, default=0, help="Use the first documents as validation split instead.")
@click.option("--max-bytes", type=COUNT, default=0, help="Read at most this much text.")
@click.option(
    "--tokenizer-bytes", type=COUNT, default=10_000_000, show_default=True, help="Text for training the tokenizer; 0 = all."
)
@click.option("--shard-tokens", type=SIZE, default=10**8, show_default=True, help="Tokens per shard.")
@click.option("--caseops", is_flag=True, help="Write capitals as markers, with a sidecar of the bytes of the text.")
def prepare(
    out: Path,
    corpus: str,
    published: str | None,
    train_shards: int,
    vocab_size: int,
    validation_share: float,
    validation_documents: int,
    max_bytes: int,
    tokenizer_bytes: int,
    shard_tokens: int,
    caseops: bool,
) -> None:
    """Turn text into a tokenizer, shards of both splits and an edition for pgolf-check."""
    with _progress() as progress:
        if published is not None:
            from pgolf_ref.data.published import fetch_published

            fetch_published(published, train_shards, out, progress)
            click.echo(f"{out}: {published} with {train_shards} training shards")
            return
        from pgolf_ref.data.prepare import Request
        from pgolf_ref.data.prepare import prepare as prepare_corpus

        sizes = (max_bytes, tokenizer_bytes, shard_tokens)
        request = Request(corpus, vocab_size, validation_share, validation_documents, *sizes, caseops)
        manifest = prepare_corpus(request, out, progress)
    splits, validation = manifest["splits"], manifest["validation"]
    click.echo(
        f"{out}: {manifest['name']}, {splits['train']['tokens']:,} training tokens in {splits['train']['documents']:,} documents, "
        f"{validation['tokens']:,} validation targets of {validation['bytes']:,} bytes in {splits['val']['documents']:,} documents"
    )


@cli.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--edition", type=click.Path(path_type=Path), help="Compare with this edition; default: that in the folder.")
def verify(data: Path, edition: Path | None) -> None:
    """Read all shards: files, counts and fingerprint are those of manifest and edition, and no document is in both splits."""
    from pgolf_ref.data import splits

    with _progress() as progress:
        found = splits.verify(data, edition, progress)
    click.echo(
        f"{data}: {found.name}, {found.train.tokens:,} training tokens in {found.train.documents:,} documents, {found.targets:,} "
        f"validation targets of {found.bytes:,} bytes in {found.validation.documents:,} documents, none of them in both splits; "
        f"validation split SHA-256 {found.sha256}"
    )


@cli.command()
@click.option("--recipe", required=True, help="Name of a recipe, or a .toml file.")
@click.option("--seeds", default="42,314,999", show_default=True, help="One run per seed.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Submission folder to write.")
@click.option("--data", help="Data folder; replaces data.path of the recipe.")
@click.option("--set", "overrides", multiple=True, metavar="TABLE.NAME=VALUE", help="Replace a value of the recipe; repeatable.")
@click.option("--scale", type=click.Choice(("full", "tiny")), default="full", show_default=True, help="tiny: seconds on a CPU.")
@click.option("--weights", type=click.Path(path_type=Path), help="Folder for the weights before quantisation; default: not kept.")
@click.option("--dry-run", is_flag=True, help="Tell plan, parameters, memory and size, and stop.")
@click.option("--accept-assumptions", is_flag=True, help="Run a recipe that fills gaps of its source with choices of our own.")
@click.option("--name", help="Title of the submission; default: the recipe's name.")
@click.option("--author", default="pgolf-train", show_default=True, help="Author in submission.json.")
@click.option("--github-id", help="Account in submission.json; default: the author.")
def run(
    recipe: str,
    seeds: str,
    out: Path,
    data: str | None,
    overrides: tuple[str, ...],
    scale: str,
    weights: Path | None,
    dry_run: bool,
    accept_assumptions: bool,
    name: str | None,
    author: str,
    github_id: str | None,
) -> None:
    """Train, export and score a recipe for several seeds, and write the submission folder."""
    from pgolf_ref.config import read_recipe
    from pgolf_ref.config.scale import tiny
    from pgolf_ref.distributed import World
    from pgolf_ref.experiment import Author, run_experiment
    from pgolf_ref.forecast import in_words
    from pgolf_ref.live import watching
    from pgolf_ref.submission import mean_bpb

    chosen = read_recipe(recipe, [*overrides, *([f"data.path={data}"] if data is not None else [])])
    config = tiny(chosen.config) if scale == "tiny" else chosen.config
    if dry_run:
        click.echo(in_words(config))
        return
    if chosen.assumed and not accept_assumptions:
        listed = "".join(f"\n  * {choice}" for choice in chosen.assumed)
        raise UserError(f"{recipe} fills gaps of its source with choices of our own; run it with --accept-assumptions:{listed}")
    numbers = _seeds(seeds)
    world = World.from_environment(config.run.device)
    by = Author(name or f"Recipe {Path(recipe).stem}", author, github_id or author)
    with watching(world.is_main) as audience:
        results = run_experiment(config, numbers, out, by, world, audience, weights)
    world.close()
    if world.is_main:
        click.echo(f"{out}: val_bpb {mean_bpb(results):.8f}, mean of {len(results)} run(s)")


@cli.command()
@click.option("--recipe", required=True, help="Name of a recipe, or a .toml file.")
@click.option("--set", "overrides", multiple=True, metavar="TABLE.NAME=VALUE", help="Replace a value of the recipe; repeatable.")
@click.option("--scale", type=click.Choice(("full", "tiny")), default="full", show_default=True, help="tiny: seconds on a CPU.")
@click.option("--packed", is_flag=True, help="Compress it: a script that unpacks itself.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File to write, such as train_gpt.py.")
def bundle(recipe: str, overrides: tuple[str, ...], scale: str, packed: bool, out: Path) -> None:
    """Write one script that holds all the code that a recipe needs, and runs alone."""
    from pgolf_ref.bundle import program
    from pgolf_ref.config import load_recipe
    from pgolf_ref.config.scale import tiny
    from pgolf_ref.files import write_bytes
    from pgolf_ref.script import encoded

    config = load_recipe(recipe, overrides)
    script = program.bundle(tiny(config) if scale == "tiny" else config, pack=packed)
    write_bytes(out, encoded(script))
    click.echo(f"{out}: {len(encoded(script)):,} bytes, which run alone: python {out} --seed 42 --data data --out run")


@cli.command()
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True)
def recipes(form: str) -> None:
    """List the recipes: parameters, forecast size of the artifact, source, published result, assumptions."""
    from pgolf_ref.listing import as_json, as_text

    click.echo(as_json() if form == "json" else as_text())


@cli.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option("--recipe", required=True, help="Name of a recipe, or a .toml file: how the artifact is scored.")
@click.option("--data", help="Data folder; replaces data.path of the recipe.")
@click.option("--set", "overrides", multiple=True, metavar="TABLE.NAME=VALUE", help="Replace a value of the recipe; repeatable.")
@click.option("--losses", type=click.Path(path_type=Path), help="Write tokens, bytes and nats of every position to this .npz file.")
@click.option("--ledger", type=click.Path(path_type=Path), help="Write the replay of the last pass to this .jsonl file.")
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True)
def evaluate(
    artifact: Path, recipe: str, data: str | None, overrides: tuple[str, ...], losses: Path | None, ledger: Path | None, form: str
) -> None:
    """Score an artifact in every way that a recipe asks for; the last is the claim."""
    from pgolf_ref.config import load_recipe
    from pgolf_ref.distributed import World
    from pgolf_ref.evaluate import command

    config = load_recipe(recipe, [*overrides, *([f"data.path={data}"] if data is not None else [])])
    world = World.from_environment(config.run.device)
    with _progress() as progress:
        result = command.evaluate_artifact(artifact, config, world, progress)
    if world.is_main:
        if losses is not None:
            command.write_losses(result, losses)
        if ledger is not None:
            command.write_replay(result, ledger)
        click.echo(command.as_json(result) if form == "json" else command.as_text(result))
    world.close()


@cli.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option("--weights", type=click.Path(path_type=Path), help="The .npz file of `run --weights`: tell the error of each matrix.")
@click.option("--losses", type=click.Path(path_type=Path), help="The .npz file of `evaluate --losses`: tell where the losses lie.")
@click.option("--picture", type=click.Path(path_type=Path), help="With --losses: draw where they lie to this .png file.")
@click.option("--log", type=click.Path(path_type=Path), help="The log of the run: tell its phases.")
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True)
def inspect(artifact: Path, weights: Path | None, losses: Path | None, picture: Path | None, log: Path | None, form: str) -> None:
    """Tell what an artifact holds: rank, condition, outliers, rounding and error of its matrices, ranges of its gates."""
    from pgolf_ref.inspection import pictures, report

    if picture is not None and losses is None:
        raise click.UsageError("--picture draws losses; name a file of them with --losses")
    found = report.inspected(artifact, weights, losses, log)
    if picture is not None:
        pictures.draw(found.losses, picture)
    click.echo(report.as_json(found) if form == "json" else report.as_text(found))


@cli.command()
@click.option("--recipe", required=True, help="The baseline: name of a recipe, or a .toml file.")
@click.option("--toggles", "toggles_file", type=click.Path(path_type=Path), required=True, help="TOML file of [[toggle]] tables.")
@click.option("--seeds", default="42,314,999", show_default=True, help="One run per toggle and seed.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write; finished runs in it are kept.")
@click.option("--data", help="Data folder; replaces data.path of the recipe.")
@click.option("--set", "overrides", multiple=True, metavar="TABLE.NAME=VALUE", help="Replace a value in all runs; repeatable.")
@click.option("--scale", type=click.Choice(("full", "tiny")), default="full", show_default=True, help="tiny: seconds on a CPU.")
def ablate(
    recipe: str, toggles_file: Path, seeds: str, out: Path, data: str | None, overrides: tuple[str, ...], scale: str
) -> None:
    """Compare a recipe with itself, one toggle at a time: bits per byte, time per step, bytes."""
    from pgolf_ref import ablation
    from pgolf_ref.config import load_recipe
    from pgolf_ref.config.scale import tiny
    from pgolf_ref.distributed import World
    from pgolf_ref.files import write_json, write_text

    toggles = [ablation.Toggle(ablation.BASELINE, ()), *ablation.read_toggles(toggles_file)]
    shared = [*overrides, *([f"data.path={data}"] if data is not None else [])]
    loaded = {toggle: load_recipe(recipe, [*shared, *toggle.overrides]) for toggle in toggles}
    configs = {toggle: tiny(config) if scale == "tiny" else config for toggle, config in loaded.items()}
    numbers = _seeds(seeds)
    world = World.from_environment(configs[toggles[0]].run.device)
    arms = []
    with _progress() as progress:
        for arm in ablation.ablate(configs, numbers, out, world):
            arms.append(arm)
            progress(f"{len(arms)} of {len(toggles)} done", arm.toggle.name)
    world.close()
    if world.is_main:
        write_json(out / "ablation.json", ablation.rows(arms))
        write_text(out / "ablation.md", ablation.table(arms))
        click.echo(ablation.table(arms) + str(out / "ablation.md"))


@cli.command()
@click.option("--recipe", required=True, help="Name of a recipe, or a .toml file.")
@click.option("--data", help="Data folder; replaces data.path of the recipe.")
@click.option("--set", "overrides", multiple=True, metavar="TABLE.NAME=VALUE", help="Replace a value of the recipe; repeatable.")
@click.option("--scale", type=click.Choice(("full", "tiny")), default="full", show_default=True, help="tiny: seconds on a CPU.")
@click.option("--steps", type=SIZE, default=20, show_default=True, help="Steps to measure.")
@click.option("--at", "fraction", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="At this fraction of the run.")
@click.option("--against", type=click.Path(path_type=Path), help="Training script to run in turns with the recipe; it is executed.")
@click.option("--env", "variables", multiple=True, metavar="NAME=VALUE", help="Tell the script by its environment; repeatable.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for bench.md and bench.json.")
@click.option("--format", "form", type=click.Choice(("markdown", "json")), default="markdown", show_default=True)
def bench(
    recipe: str,
    data: str | None,
    overrides: tuple[str, ...],
    scale: str,
    steps: int,
    fraction: float,
    against: Path | None,
    variables: tuple[str, ...],
    out: Path | None,
    form: str,
) -> None:
    """Measure a training step: time by phase, tokens per second, share of the device's peak, memory; or against a script."""
    from pgolf_ref.bench import report
    from pgolf_ref.bench.command import Asked, measured
    from pgolf_ref.config import load_recipe
    from pgolf_ref.config.scale import tiny
    from pgolf_ref.distributed import World
    from pgolf_ref.files import write_json, write_text

    config = load_recipe(recipe, [*overrides, *([f"data.path={data}"] if data is not None else [])])
    config = tiny(config) if scale == "tiny" else config
    world = World.from_environment(config.run.device)
    with _progress() as progress:
        found = measured(Asked(config, steps, fraction, against, _variables(variables)), world, progress)
    world.close()
    if not world.is_main:
        return
    told = (" ".join(["pgolf-train", *sys.argv[1:]]), Path(recipe).stem, *found)
    figures, page = report.as_figures(*told), report.as_markdown(*told)
    if out is not None:
        write_json(out / "bench.json", figures)
        write_text(out / "bench.md", page)
    click.echo(json.dumps(figures, indent=2) if form == "json" else page)


def _variables(texts: Sequence[str]) -> dict[str, str]:
    for text in texts:
        if not text.partition("=")[0] or "=" not in text:
            raise click.BadParameter(f"{text!r} must read NAME=VALUE, such as WARMUP_STEPS=0", param_hint="--env")
    return {text.partition("=")[0]: text.partition("=")[2] for text in texts}


def _seeds(text: str) -> list[int]:
    try:
        seeds = [int(part) for part in text.split(",")]
    except ValueError:
        seeds = []
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise click.BadParameter(f"{text!r} is not a list of distinct whole numbers such as 42,314,999", param_hint="--seeds")
    return seeds


@contextmanager
def _progress() -> Iterator[Callable[[str, str], None]]:
    """A status line on a terminal, a line for each stage elsewhere; both on standard error."""
    if sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status("") as status:
            yield lambda stage, detail: status.update(f"{stage}: {detail}")
        return
    told: list[str] = []

    def tell(stage: str, detail: str) -> None:
        if stage not in told:
            told.append(stage)
            click.echo(stage, err=True)

    yield tell
