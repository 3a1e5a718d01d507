"""`pgolf-check canary`: shards of random tokens for runs at full size, and the judgement of their logs."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def canary() -> None:
    """The entropy canary at full size: make a shard of random tokens, and judge the log of a run that scored it."""


@canary.command("make-shard")
@click.argument("shard", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--tokens", type=click.IntRange(2), required=True, help="Length of the stream.")
@click.option("--vocab", type=click.IntRange(3, 1 << 16), required=True, help="Size of the vocabulary.")
@click.option("--symbols", type=int, default=0, help="How many ids occur at random; default: all (but BOS).")
@click.option("--document-tokens", type=int, default=0, help="Length of documents, each begun by BOS; default: no documents.")
@click.option("--bos", type=int, default=1, show_default=True)
@click.option("--seed", help="Hexadecimal seed of a shard to make again: it is no evidence.")
def make_shard(shard: Path, tokens: int, vocab: int, symbols: int, document_tokens: int, bos: int, seed: str | None) -> int:
    """Draw a stream from the system's entropy and write it as SHARD, with the note SHARD.json beside it.

    Draw it after the submission is fixed, give it to the run in the place of the validation shard, and judge the log.
    """
    from pgolf_check.dynamic.shard import Layout, make_canary, note_path, seed_of

    made = make_canary(shard, Layout(tokens, vocab, symbols, document_tokens, bos), None if seed is None else seed_of(seed))
    click.echo(f"{shard}: {tokens:,} tokens, {made.layout.random:,} random targets over {made.layout.alphabet:,} symbols")
    click.echo(f"{note_path(shard)}: keep it for `pgolf-check canary judge`; sha256 {made.sha256}")
    return 0


@canary.command("judge")
@click.argument("note", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("log", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--sliding", nargs=2, type=click.IntRange(1), metavar="WINDOW STRIDE", help="Targets were scored in sliding windows.")
@click.option("--alpha", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=1e-6, show_default=True)
def judge_canary(note: Path, log: Path, sliding: tuple[int, int] | None, alpha: float) -> int:
    """Judge the losses of LOG on the shard of NOTE: 1 if no legal scorer shows as much (C100), else 3: that acquits nobody."""
    from pgolf_check.dynamic.canary import Exposure, sliding_exposure
    from pgolf_check.dynamic.judge import judge_log
    from pgolf_check.dynamic.shard import read_note
    from pgolf_check.report.escape import printable

    made = read_note(note)
    layout = made.layout
    exposure = (
        sliding_exposure(layout.tokens, *sliding) if sliding and not layout.fixed else Exposure.once(layout.random, layout.fixed)
    )
    judged = judge_log(log, made, exposure, alpha)
    for line in judged.lines:
        value = "may be a bfloat16: not judged" if line.evidence is None else f"log10 e-value {line.evidence.log10:,.1f}"
        click.echo(f"{log.name}:{line.number}  loss {line.loss}  {value}  {printable(line.text)}")
    if not made.fresh:
        click.echo("no evidence: the seed of this shard was given, so that the run may have known it")
        return 3
    if judged.convicts:
        click.echo(
            f"C100 better-than-chance: random tokens were scored below their entropy (log10 e-value {judged.total.log10:,.1f})"
        )
        return 1
    click.echo(f"nothing shown (log10 e-value {judged.total.log10:,.1f}): that acquits nobody")
    return 3
