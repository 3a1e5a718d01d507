"""pgolf-check: one short function per verb, and the one place where errors become sentences and exit codes.

Exit codes: 0 clean, 1 illegal or ineligible, 2 incomplete, wrong usage or an internal error, 3 review, 4 a re-run that is not possible here, 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pgolf_check.canary_verbs import canary
from pgolf_check.errors import UserError
from pgolf_check.options import facts_of, from_git, gating, judging, of_one, of_paths, options_of, refuse_inside, waivers_of

if TYPE_CHECKING:
    from pgolf_check.corpus.pool import Answered
    from pgolf_check.corpus.worker import Options

FAILED, NOT_HERE, INTERRUPTED = 2, 4, 130
ANSWERS = {True: "confirmed", False: "contradicted", None: "not told"}
TAIL = 1000
"""Bytes of the errors of a failed re-run that are shown."""
DEFAULT_VERB = "check"


class VerbOrPath(click.Group):
    """A group whose default verb takes what is no verb."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h", "--version"):
            args = [DEFAULT_VERB, *args]
        return super().parse_args(ctx, args)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    try:
        code = cli.main(arguments, prog_name="pgolf-check", standalone_mode=False)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return FAILED
    except UserError as error:
        return _tell(str(error), FAILED)
    except BrokenPipeError:
        sys.stderr.close()
        return FAILED
    except (KeyboardInterrupt, click.Abort):
        return _tell("interrupted", INTERRUPTED)
    except Exception as error:  # noqa: BLE001  (the boundary: a defect is told in one line)
        from pgolf_check.verdict import crash

        return _tell(f"internal error, please report it: {crash(error)}", FAILED)
    return code if isinstance(code, int) else 0


def _tell(message: str, code: int) -> int:
    from pgolf_check.report.escape import printable

    print(f"pgolf-check: {printable(message)}", file=sys.stderr)
    return code


@click.group(cls=VerbOrPath, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pgolf")
def cli() -> None:
    """Decide whether a Parameter Golf submission is legal, and show why.

    `pgolf-check PATH` judges a submission folder, a script in one, an archive, or REF:PATH with --repo.
    Exit codes: 0 clean, 1 illegal or ineligible, 2 incomplete or an error, 3 review.
    """


@cli.command()
@of_paths
@click.option("--dynamic", is_flag=True, help="Run the scripts too, in the sandbox.")
def check(dynamic: bool, **given: Any) -> int:
    """Judge submissions by what they say (paper) and by their source (static)."""
    return _check(("paper", "static", *(["dynamic"] if dynamic else [])), **given)


@cli.command()
@of_paths
def dynamic(**given: Any) -> int:
    """Run the scripts of submissions in the sandbox, shrunk to seconds, on random tokens. Needs torch."""
    return _check(("dynamic",), **given)


@cli.command()
@of_paths
def static(**given: Any) -> int:
    """Judge submissions by their source alone."""
    return _check(("static",), **given)


@cli.command()
@of_paths
def paper(**given: Any) -> int:
    """Judge submissions by their files, metadata and logs alone."""
    return _check(("paper",), **given)


@cli.command()
@gating
def gate(base: str, head: str, repo: str, form: str, timeout: float, waivers: str | None, **given: Any) -> int:
    """Judge what a pull request changes: its submissions, and that it changes nothing else. Only git objects are read."""
    from pgolf_check.gate import judge_pull_request, refuse_own
    from pgolf_check.report.files import Files
    from pgolf_check.report.formats import rendered
    from pgolf_check.submission.git import Repository
    from pgolf_check.submission.git_diff import read_pull_request

    files = Files(*(given.pop(name) for name in ("sarif", "html", "comment", "summary")))
    repository = Repository(repo)
    pull_request = read_pull_request(repository, base, head)
    refuse_own(filter(None, (waivers, given["edition"])), repository, pull_request)
    accepted = waivers_of(waivers, given["as_of"])
    chosen = options_of(("paper", "static"), waivers=accepted.in_force, **given)
    outcome = judge_pull_request(repository, pull_request, chosen, timeout)
    outcome = replace(outcome, remarks=accepted.remarks(outcome.reports))
    files.write(outcome)
    for sentence in (*outcome.refused, *outcome.remarks):
        _tell(sentence, FAILED)
    click.echo(rendered(form, outcome), nl=False)
    return outcome.exit_code


@cli.command()
@click.argument("list_file", metavar="LIST", type=click.File("r", encoding="utf-8"))
@from_git
@judging
@click.option("--witness", type=click.Choice(["paper", "static", "dynamic", "all"]), default="all", show_default=True)
@click.option("--jobs", type=click.IntRange(1), help="Worker processes; default: one per core.")
@click.option("--out", type=click.Path(path_type=Path), help="Keep the answers in this file, and go on from it.")
@click.option("--grandfather", is_flag=True, help="Excuse merged records from later rulings; ignored when accuracy is measured.")
@click.option("--format", "form", type=click.Choice(["table", "jsonl"]), default="table", show_default=True)
def corpus(
    list_file: Iterable[str],
    witness: str,
    jobs: int | None,
    out: Path | None,
    grandfather: bool,
    form: str,
    timeout: float,
    **options: Any,
) -> int:
    """Judge every path in LIST (one a line; - for standard input), several at a time. The exit code is that of the run."""
    from pgolf_check.corpus.table import row

    paths = [line.strip() for line in list_file if line.strip()]
    witnesses = ("paper", "static") if witness == "all" else (witness,)
    chosen = options_of(witnesses, grandfather=grandfather, **options)
    for answer in _answers(paths, chosen, jobs, timeout, out):
        click.echo(row(answer) if form == "table" else _line(answer))
    return 0


@cli.command()
@click.argument("list_file", metavar="[LIST]", required=False, type=click.File("r", encoding="utf-8"))
@from_git
@judging
@click.option("--witness", type=click.Choice(["static", "all"]), default="all", show_default=True)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def bench(list_file: Iterable[str] | None, witness: str, form: str, timeout: float, **options: Any) -> None:
    """Measure how long the paths in LIST take (default: the fixtures of a checkout): cold, warm, and by part; and the memory."""
    import json

    from pgolf_check.bench import fixtures, measure

    paths = fixtures() if list_file is None else [line.strip() for line in list_file if line.strip()]
    found = measure(paths, options_of(("paper", "static") if witness == "all" else (witness,), **options), timeout)
    click.echo(found.table() if form == "text" else json.dumps(found.document(), indent=2) + "\n", nl=False)


@cli.command()
@of_one
def size(path: str, repo: str | None, edition: str | None, as_of: datetime | None) -> None:
    """Show the four sizes of a submission: as logged, with its script, with all its files, and really packed."""
    from pgolf_check.report.tables import size_table

    click.echo(size_table(facts_of(path, repo, edition, as_of)), nl=False)


@cli.command()
@of_one
@click.option(
    "--rival", metavar="RECORD", help="Compare with this row of the leaderboard (part of its folder's name) or these scores."
)
def stats(path: str, repo: str | None, edition: str | None, as_of: datetime | None, rival: str | None) -> None:
    """Show the runs of a submission, the significance of its gain, and how its claims stand to its logs."""
    from pgolf_check.report.tables import stats_table
    from pgolf_check.stats.significance import rival_of

    facts = facts_of(path, repo, edition, as_of)
    click.echo(stats_table(facts, rival_of(facts.edition.leaderboard, rival) if rival is not None else None), nl=False)


@cli.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--edition", metavar="FILE", help="Reference data (TOML); default: the challenge's.")
def init(folder: Path, edition: str | None) -> None:
    """Write README.md, submission.json and requirements.txt of a new submission into DIR."""
    from pgolf_check.rules.edition import load_edition
    from pgolf_check.skeleton import write_skeleton

    for path in write_skeleton(folder, load_edition(edition)):
        click.echo(str(path))
    click.echo("add train_gpt.py and the logs of the runs, fill in the fields, and run: pgolf-check " + str(folder))


@cli.command()
@click.argument("code")
def explain(code: str) -> None:
    """Show the page of a rule: what it says, why, what breaks it, what is legal, who ruled it."""
    from pgolf_check.report.rulebook import page_text
    from pgolf_check.rules.rulebook import load_rulebook

    rules = load_rulebook().rules
    wanted = code.strip().upper()
    by_name = next((rule for rule, page in rules.items() if page.name == code.strip().lower()), wanted)
    if by_name not in rules:
        raise UserError(f"{code!r} is no rule; `pgolf-check rules` lists them")
    click.echo(page_text(rules[by_name]), nl=False)


@cli.command()
def rules() -> None:
    """List the rules with what they do under both profiles."""
    from pgolf_check.report.rulebook import rules_table
    from pgolf_check.rules.rulebook import load_rulebook

    click.echo(rules_table(load_rulebook()), nl=False)


@cli.command()
@click.argument("folder", metavar="DIR")
@click.option(
    "--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True, help="Your shards and tokenizer."
)
@click.option("--seed", type=click.IntRange(0), help="The run to make again; default: the first seed that is claimed.")
@click.option("--edition", metavar="FILE", help="Reference data (TOML); default: the challenge's.")
@click.option(
    "--seconds", type=click.FloatRange(1), help="Limit by the clock; default: both budgets, and as long for what they leave out."
)
@click.option("--weak", is_flag=True, help="Run in the weak sandbox where there is no other.")
def rerun(folder: str, data: Path, seed: int | None, edition: str | None, seconds: float | None, weak: bool) -> int:
    """Run a submission as it declares, in the sandbox, and compare what comes out with what it claims.

    Exit codes: 0 confirmed, 1 contradicted, 2 the run failed or stated no score, 4 not possible here (no torch, no GPU).
    """
    import importlib.util

    if importlib.util.find_spec("torch") is None:
        return _tell("a re-run needs torch, which is not installed here: pip install 'pgolf[dynamic]'", NOT_HERE)
    from pgolf_check.dynamic.rerun.rerun import rerun as run_again
    from pgolf_check.report.escape import printable

    facts = facts_of(folder, None, edition, None)
    metadata = facts.submission.metadata
    chosen = seed if seed is not None else next(iter(metadata.seeds if metadata is not None else ()), 1337)
    limit = seconds or 2 * (facts.edition.training.limit + facts.edition.evaluation.limit)
    found = run_again(facts.submission, facts.edition, data, chosen, limit, allow_weak=weak)
    click.echo(f"{folder}: {printable(' '.join(found.launch.argv[2:]))} (seed {chosen}, contained by {found.outcome.by})")
    for check in found.checks:
        click.echo(f"  {check.name:<7} {ANSWERS[check.holds]:<12} {printable(check.told)}")
    if found.exit_code in (FAILED, NOT_HERE):
        click.echo(printable(found.outcome.stderr[-TAIL:].decode("utf-8", "replace")), err=True)
    return found.exit_code


def _check(
    witnesses: Sequence[str], *, paths: Sequence[str], form: str, timeout: float, waivers: str | None, **options: Any
) -> int:
    from pgolf_check.corpus.pool import judge_all
    from pgolf_check.corpus.worker import Refused
    from pgolf_check.report.formats import one_by_one, together
    from pgolf_check.report.outcome import Outcome

    refuse_inside(paths, waivers, options["edition"])
    given = waivers_of(waivers, options["as_of"])
    chosen = options_of(witnesses, waivers=given.in_force, **options)
    render = one_by_one(form)
    reports, refused = [], []
    for answered in judge_all(paths, chosen, time_limit=timeout):
        if isinstance(answered.result, Refused):
            refused.append(answered.result.message)
            _tell(answered.result.message, FAILED)
            continue
        reports.append(answered.result)
        if render is not None:
            click.echo(render(answered.result), nl=False)
    outcome = Outcome(tuple(reports), tuple(refused), given.remarks(reports))
    for remark in outcome.remarks:
        _tell(remark, FAILED)
    if render is None:
        click.echo(together(form)(outcome), nl=False)
    return outcome.exit_code


def _answers(
    paths: Sequence[str], options: Options, jobs: int | None, timeout: float, out: Path | None
) -> Iterator[dict[str, Any]]:
    """The answers as JSON objects; those that `out` holds come first."""
    import os

    from pgolf_check.corpus.pool import judge_all
    from pgolf_check.corpus.results import as_object, resumed

    workers = jobs or os.cpu_count() or 1
    if out is None:
        answers = judge_all(paths, options, jobs=workers, time_limit=timeout)
        yield from (as_object(answered, options) for answered in _shown(answers, len(paths)))
        return
    with resumed(out, options) as (stream, kept):
        done = {answer["path"]: answer for answer in kept}
        yield from (done[path] for path in paths if path in done)
        left = [path for path in paths if path not in done]
        for answered in _shown(judge_all(left, options, jobs=workers, time_limit=timeout), len(left)):
            answer = as_object(answered, options)
            stream.write(_line(answer) + "\n")
            stream.flush()
            yield answer


def _line(answer: dict[str, Any]) -> str:
    import json

    return json.dumps(answer, ensure_ascii=True, separators=(",", ":"))


def _shown(answers: Iterator[Answered], total: int) -> Iterator[Answered]:
    """The answers, with a progress bar on standard error where that is a terminal."""
    with _progress(total) as advance:
        for answered in answers:
            advance()
            yield answered


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("judging"), *Progress.get_default_columns()[1:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("judging", total=total)
        yield lambda: bar.advance(task)


cli.add_command(canary)


if __name__ == "__main__":
    sys.exit(main())
