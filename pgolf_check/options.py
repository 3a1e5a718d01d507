"""The options of every verb that judges, and what they amount to: checked once, before anything is judged."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pgolf_check.errors import UserError
from pgolf_check.report.formats import NAMES

if TYPE_CHECKING:
    from pgolf_check.corpus.worker import Options
    from pgolf_check.model import Report
    from pgolf_check.rules.facts import Facts
    from pgolf_check.waivers import Waiver


def _decorated(command: Callable[..., Any], options: Iterable[Callable[..., Any]]) -> Callable[..., Any]:
    for option in reversed(list(options)):
        command = option(command)
    return command


def judging(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every verb that judges."""
    options = (
        click.option("--edition", metavar="FILE", help="Reference data (TOML); default: the challenge's."),
        click.option("--profile", default="precedent", show_default=True, help="precedent or strict."),
        click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="Switch off rules that were ruled after this date."),
        click.option("--select", metavar="CODES", help="Only these rules, or beginnings of codes: C,D101."),
        click.option("--ignore", metavar="CODES", help="Not these rules."),
        click.option("--timeout", type=click.FloatRange(1), default=30.0, show_default=True, help="Seconds for one submission."),
    )
    return _decorated(command, options)


def waiving(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option of a verb whose findings a reviewer may waive."""
    told = "Findings that the reviewer accepts (TOML), each with a reason and a last day."
    return click.option("--waivers", metavar="FILE", help=told)(command)


def of_paths(command: Callable[..., Any]) -> Callable[..., Any]:
    """Paths of submissions, how to judge them and how to tell it."""
    options = (
        click.argument("paths", nargs=-1, required=True),
        from_git,
        judging,
        waiving,
        click.option("--format", "form", type=click.Choice(NAMES), default="text", show_default=True),
    )
    return _decorated(command, options)


def of_one(command: Callable[..., Any]) -> Callable[..., Any]:
    """One submission and the reference data for it."""
    options = (
        click.argument("path"),
        from_git,
        click.option("--edition", metavar="FILE", help="Reference data (TOML); default: the challenge's."),
        click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="The day whose standing record counts."),
    )
    return _decorated(command, options)


def facts_of(path: str, repo: str | None, edition: str | None, as_of: datetime.datetime | None) -> Facts:
    """What the paper witness reads of one submission. Raises UserError if it cannot be read."""
    from pgolf_check.rules.edition import load_edition
    from pgolf_check.rules.facts import Facts
    from pgolf_check.submission.load import load

    return Facts(load(path, repo=repo), load_edition(edition), as_of=as_of.date() if as_of is not None else None)


def gating(command: Callable[..., Any]) -> Callable[..., Any]:
    """A pull request, how to judge it and where to tell it."""
    path = click.Path(dir_okay=False, path_type=Path)
    options = (
        click.option("--base", metavar="REF", required=True, help="What the pull request would be merged into."),
        click.option("--head", metavar="REF", default="HEAD", show_default=True, help="The last commit of the pull request."),
        click.option("--repo", metavar="DIR", default=".", show_default=True, help="A git repository that has both."),
        judging,
        waiving,
        click.option("--format", "form", type=click.Choice(NAMES), default="github", show_default=True, help="On standard output."),
        click.option("--sarif", type=path, help="Write the findings as SARIF 2.1.0."),
        click.option("--html", type=path, help="Write a page."),
        click.option("--comment", type=path, help="Write the body of a comment (Markdown)."),
        click.option("--summary", type=path, help="Append to a job summary (Markdown): $GITHUB_STEP_SUMMARY."),
    )
    return _decorated(command, options)


def from_git(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option that makes paths those of a git repository."""
    return click.option("--repo", metavar="GIT_DIR", help="Take PATH as REF:PATH of this git repository.")(command)


def options_of(
    witnesses: Iterable[str],
    *,
    edition: str | None,
    profile: str,
    as_of: datetime.datetime | None,
    select: str | None,
    ignore: str | None,
    repo: str | None = None,
    grandfather: bool = True,
    waivers: tuple[Waiver, ...] = (),
) -> Options:
    """What the command line says about judging; UserError if a value cannot be used."""
    from pgolf_check.corpus.worker import Options
    from pgolf_check.model import Witness
    from pgolf_check.rules.edition import load_edition
    from pgolf_check.rules.rulebook import PROFILES, load_rulebook
    from pgolf_check.verdict import check_codes

    chosen, left_out = _codes(select), _codes(ignore)
    check_codes((*chosen, *left_out), load_rulebook())
    load_edition(edition)
    if profile not in PROFILES:
        raise UserError(f"{profile!r} is no profile; known are " + " and ".join(PROFILES))
    return Options(
        repo=repo,
        witnesses=frozenset(Witness(w) for w in witnesses),
        edition=edition,
        profile=profile,
        as_of=as_of.date() if as_of is not None else None,
        select=chosen,
        ignore=left_out,
        grandfather=grandfather,
        waivers=waivers,
    )


@dataclass(frozen=True, slots=True)
class Waivers:
    """The reviewer's waivers on a day: `--as-of`, else today."""

    all: tuple[Waiver, ...]
    day: datetime.date

    @property
    def in_force(self) -> tuple[Waiver, ...]:
        from pgolf_check.waivers import in_force

        return in_force(self.all, self.day)

    def remarks(self, reports: Iterable[Report]) -> tuple[str, ...]:
        from pgolf_check.waivers import remarks

        return remarks(self.all, self.day, reports)


def refuse_inside(paths: Iterable[str], *files: str | None) -> None:
    """Raise UserError if one of the reviewer's files lies in a submission that is to be judged."""
    for file in filter(None, files):
        for path in paths:
            if Path(file).resolve().is_relative_to(Path(path).resolve()):
                raise UserError(f"{file}: this file belongs to the submission {path}; name the reviewer's own")


def waivers_of(file: str | None, as_of: datetime.datetime | None) -> Waivers:
    """The waivers in the reviewer's file, none without one."""
    day = as_of.date() if as_of is not None else datetime.date.today()
    if file is None:
        return Waivers((), day)
    from pgolf_check.rules.rulebook import load_rulebook
    from pgolf_check.waivers import load_waivers

    return Waivers(load_waivers(file, load_rulebook().rules), day)


def _codes(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip().upper() for part in text.split(",")) if text is not None else ()
