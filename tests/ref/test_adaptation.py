"""Adapters by document and weights by phase: nothing is learnt before it is scored, and nobody's score depends on its neighbours."""

import dataclasses
import json
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from replays import ends_trained, read_replay
from streams import ledger, stream
from threads import on_ranks
from toys import random_model, small

from pgolf_ref.config import Config
from pgolf_ref.data.pieces import BOS
from pgolf_ref.data.shards import Tokens
from pgolf_ref.distributed import World
from pgolf_ref.errors import ConfigError, UserError
from pgolf_ref.evaluate.ledger import LedgerError, ScoringLedger
from pgolf_ref.evaluate.lora import pieces, score_documents
from pgolf_ref.evaluate.recipe import adapted_score, windowed_score
from pgolf_ref.evaluate.score import Scoring, evaluate
from pgolf_ref.evaluate.ttt import lr_scales, rate
from pgolf_ref.evaluate.windows import documents
from pgolf_ref.registry import registry

LORA = (
    "evaluate.layout=documents",
    "evaluate.stride=6",
    "ttt.lora.rank=3",
    "ttt.lora.chunk_tokens=5",
    "ttt.lora.batch_documents=3",
    "ttt.lora.lr=0.05",
)
PHASES = (
    "evaluate.layout=documents",
    "evaluate.stride=6",
    "ttt.epochs=2",
    "ttt.phases=[2, 5]",
    "ttt.chunk_tokens=30",
    "ttt.batch_rows=2",
)
CHUNKED = ("evaluate.stride=6", "ttt.epochs=2", "ttt.chunk_tokens=30", "ttt.batch_rows=2", "ttt.lr=0.05")
BOTH = (*LORA, "ttt.epochs=1", "ttt.phases=[2, 5]", "ttt.chunk_tokens=30", "ttt.batch_rows=2", "ttt.lr=0.05")


def text(lengths: Sequence[int] = (20, 7, 31, 2, 16, 31, 9)) -> Tokens:
    """Documents of so many tokens, with their BOS."""
    found = [np.concatenate(([BOS], stream(length - 1, 38, seed) + 2)) for seed, length in enumerate(lengths)]
    return np.concatenate(found).astype(np.uint16)


def adapted(config: Config, tokens: Tokens, world: World | None = None) -> ScoringLedger:
    book = ledger(tokens, world=world)
    adapted_score(random_model(config), book, config, world or World.single())
    return book


def with_lora(config: Config, **values: object) -> Config:
    return dataclasses.replace(config, ttt=dataclasses.replace(config.ttt, lora=dataclasses.replace(config.ttt.lora, **values)))


@pytest.mark.parametrize("recipe", [CHUNKED, LORA, PHASES, BOTH])
def test_every_score_precedes_the_first_update_that_uses_it(recipe: tuple[str, ...]) -> None:
    tokens = text()
    book = adapted(small(*recipe), tokens)
    assert len(read_replay(book.replay())) > 1
    assert ends_trained(book.replay()) < len(tokens)
    assert len(book.losses()) == len(tokens) - 1


def test_an_adapter_sees_its_document_alone_and_not_its_last_piece() -> None:
    tokens = text()
    found = documents(tokens)
    states = [seen for seen in read_replay(adapted(small(*LORA), tokens).replay()).values() if seen]
    assert len(states) == sum(len(pieces(document, 5, 12)) - 1 for document in found)
    for seen in states:
        first, end = next(each for each in found if each[0] <= min(seen) < each[1])
        assert seen == set(range(first, max(seen) + 1)) and max(seen) < pieces((first, end), 5, 12)[-1].first


def test_a_phase_sees_all_documents_before() -> None:
    tokens = text()
    found = documents(tokens)
    states = [seen for seen in read_replay(adapted(small(*PHASES), tokens).replay()).values() if seen]
    assert states == [set(range(1, found[1][1])), set(range(1, found[4][1]))]


@pytest.mark.parametrize("values", [{"rank": 0}, {"lr": 0.0, "weight_decay": 0.0}])
def test_no_rank_and_no_learning_rate_are_no_adapter_bit_by_bit(values: dict[str, object]) -> None:
    """The windows that score are those of the pieces, in the batches that the adapters have."""
    tokens, config = text(), with_lora(small(*LORA), **values)
    model, world = random_model(config), World.single()
    book, plain = ledger(tokens), ledger(tokens)
    score_documents(model, book, documents(tokens), config.ttt.lora, 12, world)
    chunks = [pieces(document, 5, 12) for document in documents(tokens)]
    evaluate(model, plain, chunks, Scoring(3), world)
    np.testing.assert_allclose(book.losses(), plain.losses(), rtol=1e-12)
    alone = with_lora(config, batch_documents=1)
    again = ledger(tokens)
    score_documents(model, again, documents(tokens), alone.ttt.lora, 12, world)
    single = ledger(tokens)
    evaluate(model, single, chunks, Scoring(1), world)
    assert np.array_equal(again.losses(), single.losses())


def test_an_adapter_helps_in_a_document_that_repeats_itself() -> None:
    tokens = np.concatenate([np.concatenate(([BOS], np.tile(stream(6, 38, seed) + 2, 20))) for seed in range(3)]).astype(np.uint16)
    config = small(*LORA)
    still = adapted(with_lora(config, lr=0.0, weight_decay=0.0), tokens)
    assert adapted(config, tokens).total().nats < still.total().nats - 20


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_scores_do_not_depend_on_batch_mates(batch: int) -> None:
    tokens, config = text(), small(*LORA)
    expected = adapted(config, tokens).losses()
    np.testing.assert_allclose(adapted(with_lora(config, batch_documents=batch), tokens).losses(), expected, rtol=0, atol=1e-9)
    few, many = (adapted(small(*CHUNKED, f"evaluate.batch_windows={count}"), tokens).losses() for count in (batch, 64))
    np.testing.assert_allclose(few, many, rtol=0, atol=1e-9)


def test_scores_do_not_depend_on_the_documents_around() -> None:
    tokens, config = text(), small(*LORA)
    whole = adapted(config, tokens).losses()
    for first, end in documents(tokens)[:-1]:
        alone = adapted(config, np.asarray(tokens[first - 1 : end])).losses()
        np.testing.assert_allclose(whole[first - 1 : end - 1], alone, rtol=0, atol=1e-9)


def test_scores_do_not_depend_on_the_order_of_the_documents() -> None:
    tokens, config = np.asarray(text()), small(*LORA)
    parts = np.split(tokens, np.flatnonzero(tokens == BOS)[1:])
    scores = []
    for order in (parts, parts[::-1]):
        losses = adapted(config, np.concatenate(order)).losses()
        ends = np.cumsum([len(part) for part in order])
        scores.append([losses[end - len(part) : end - 1] for part, end in zip(order, ends, strict=True)])
    inner = zip(scores[0][1:-1], scores[1][-2:0:-1], strict=True)  # the last of a stream has no BOS behind it
    for one, other in inner:
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-9)


@pytest.mark.parametrize("recipe", [CHUNKED, LORA, PHASES, BOTH])
def test_one_rank_repeats_itself_bit_by_bit(recipe: tuple[str, ...]) -> None:
    tokens, config = text(), small(*recipe)
    first, second = adapted(config, tokens), adapted(config, tokens)
    assert first.replay() == second.replay() and np.array_equal(first.losses(), second.losses())


@pytest.mark.parametrize("recipe", [PHASES, BOTH])
def test_phases_that_do_not_learn_are_none(recipe: tuple[str, ...]) -> None:
    tokens, config = text(), small(*recipe, "ttt.lr=0")
    if config.ttt.lora.rank:
        plain = ledger(tokens)
        score_documents(random_model(config), plain, documents(tokens), config.ttt.lora, 12, World.single())
    else:
        plain = ledger(tokens)
        windowed_score(random_model(config), plain, config, config.evaluate.stride, World.single())
    np.testing.assert_allclose(adapted(config, tokens).losses(), plain.losses(), rtol=0, atol=1e-9)


def test_a_flip_of_later_tokens_changes_no_score_that_precedes_them() -> None:
    """In the order of the stream within a document, and of the phases between documents."""
    config, tokens = small(*BOTH), text()
    place = documents(tokens)[3][0] + 4
    changed = tokens.copy()
    behind = changed[place:]
    behind[behind != BOS] = (behind[behind != BOS] - 2 + 7) % 38 + 2
    before, after = adapted(config, tokens).losses(), adapted(config, changed).losses()
    np.testing.assert_allclose(before[: place - 1], after[: place - 1], rtol=0, atol=1e-12)
    assert np.abs(before[place - 1 :] - after[place - 1 :]).min() >= 0 and not np.allclose(before[place:], after[place:])


# Ranks


@pytest.mark.parametrize("recipe", [CHUNKED, LORA, PHASES, BOTH])
@pytest.mark.parametrize("size", [2, 4])
def test_any_number_of_ranks_gives_the_losses_of_one(size: int, recipe: tuple[str, ...]) -> None:
    config = small(*recipe)
    books = on_ranks(size, lambda world: adapted(config, text(), world))
    alone = adapted(config, text())
    for book in books:
        assert book.replay() == books[0].replay() and np.array_equal(book.losses(), books[0].losses())
        np.testing.assert_allclose(book.losses(), alone.losses(), rtol=0, atol=1e-6)
    assert _order(books[0].replay()) == _order(alone.replay())


def _order(replay: str) -> list[tuple[object, ...]]:
    read_replay(replay)
    events = [json.loads(line) for line in replay.splitlines()[1:-1]]
    return [(e["event"], e["first"], e["end"], e["state"]) for e in events]


# Branches


def logits(count: int) -> torch.Tensor:
    return torch.zeros(count, 40, dtype=torch.float64)


def test_a_branch_learns_from_its_own_scored_positions_alone() -> None:
    book = ledger(text())
    branch = book.branch(20, 27)
    for first, end in ((20, 22), (1, 5), (26, 28)):
        with pytest.raises(LedgerError):
            branch.scored_tokens(first, end)
    book.reveal(book.commit(20, 22, logits(2)))
    branch.scored(20, 22)
    assert branch.scored_tokens(20, 22).tolist() == text()[19:22].tolist()
    with pytest.raises(LedgerError, match="position 22 is asked for"):
        branch.scored_tokens(21, 23)


def test_branches_must_tell_of_every_position_once() -> None:
    book = ledger(text([5]))
    branch = book.branch(1, 5)
    book.reveal(book.commit(1, 5, logits(4)))
    branch.scored(1, 4)
    with pytest.raises(LedgerError, match="do not tell of the positions 1 to 5"):
        book.agree_branches(1, 5, [branch])


# Settings


def test_the_rate_falls_along_half_a_cosine_to_its_floor() -> None:
    config = small("ttt.lr=0.5", "ttt.lr_floor=0.2").ttt
    rates = [rate(number, 11, config) for number in range(11)]
    assert rates[0] == 0.5 and rates[5] == pytest.approx(0.3) and rates[-1] == pytest.approx(0.1)
    assert rates == sorted(rates, reverse=True)
    assert rate(0, 1, config) == rate(7, 11, small("ttt.lr=0.5", "ttt.schedule=constant").ttt) == 0.5


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_frozen_blocks_keep_every_tensor_and_others_learn(optimizer: str) -> None:
    config = small(
        "evaluate.stride=6",
        "ttt.epochs=1",
        "ttt.chunk_tokens=36",
        "ttt.lr=0.1",
        f"ttt.optimizer={optimizer}",
        'ttt.lr_scales=["0,1.all=0"]',
    )
    model = random_model(config)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    adapted_score(model, ledger(stream(150)), config, World.single())
    entries = registry(model)
    for name, parameter in model.named_parameters():
        assert torch.equal(before[name], parameter) == (entries[name].layer in (0, 1)), name


def test_the_last_rule_of_a_scale_that_fits_holds() -> None:
    model = random_model(small())
    scales = lr_scales(model, small('ttt.lr_scales=["matrix=0.5", "out=3", "1.out=0", "vector=2"]').ttt)
    entries = registry(model)
    for name, scale in scales.items():
        role, layer = entries[name].role.value, entries[name].layer
        expected = {"out": 0.0 if layer == 1 else 3.0, "vector": 2.0, "embedding": 1.0}.get(role, 0.5)
        assert scale == expected, name


@pytest.mark.parametrize(
    ("override", "rule"),
    [
        ("ttt.pre_quant=true", "C301"),
        ("ttt.before_scoring=true", "C301"),
        ("ttt.prequant_ttt_enabled=1", "C301"),
        ("ttt.score_epoch=last", "C302"),
        ("ttt.report_epoch=3", "C302"),
        ("ttt.min_nll=true", "C401"),
        ("ttt.passes=3", "C402"),
        ("evaluate.rescore=true", "C402"),
        ("ttt.lora.score_epoch=last", "C302"),
    ],
)
def test_an_illegal_order_cannot_be_configured_and_the_rule_is_named(override: str, rule: str) -> None:
    with pytest.raises(UserError, match=f"{override.partition('=')[0]} cannot be set, by rule {rule}"):
        small(override)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["ttt.lora.rank=2"], "ttt.lora needs evaluate.layout documents"),
        (["evaluate.layout=varlen"], "evaluate.layout varlen needs model.attention.documents"),
        (
            ["evaluate.layout=varlen", "model.attention.documents=true", "model.embedding.smear=token"],
            "needs model.embedding.isolate",
        ),
        (["evaluate.layout=documents", "model.attention.rope_length=6"], "needs model.attention.rope_length of 0"),
        (["ttt.phases=[3]"], "ttt.phases need ttt.epochs"),
        (["ttt.phases=[3, 2]"], "ttt.phases must be increasing"),
        (['ttt.lr_scales=["nonsense=2"]'], "must read ROLE=VALUE"),
        (['ttt.lora.slots=["query", "out"]'], "ttt.lora.slots must be one of"),
        ([*LORA, "ttt.epochs=1"], "ttt.lora with ttt.epochs needs ttt.phases"),
    ],
)
def test_settings_that_do_not_fit_are_explained(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        small(*overrides)
