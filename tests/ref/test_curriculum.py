"""What takes part when: shorter rows, fewer micro-batches, frozen blocks, rounded matrices; each against a run that does the same by hand."""

import pytest
import torch
from torch import Tensor, nn
from toys import CountingLoader, largest_difference, random_model, random_tokens, small, weights

from pgolf_ref import train as train_module
from pgolf_ref.clock import Clock
from pgolf_ref.config import Config, CurriculumConfig, load_recipe
from pgolf_ref.config.scale import tiny
from pgolf_ref.curriculum import Stage, stage, starts
from pgolf_ref.distributed import World
from pgolf_ref.errors import ConfigError
from pgolf_ref.log import silent
from pgolf_ref.model.gpt import GPT
from pgolf_ref.optim.freezing import Freezer, frozen_blocks
from pgolf_ref.optim.groups import Optimizers
from pgolf_ref.optim.qat import RoundedMatrices, as_stored
from pgolf_ref.quant.artifact import quantised_matrices
from pgolf_ref.quant.routes import FLOAT8, HALF, KEPT, TERNARY, Form, Route, route
from pgolf_ref.quant.rtn import dequantise, quantise
from pgolf_ref.registry import Group, registry
from pgolf_ref.train import train

LENGTHS = ("curriculum.lengths=[3, 6, 12]", "curriculum.length_starts=[0.0, 0.3, 0.6]")
SLOTS = ("curriculum.slots=[1, 2, 4]", "curriculum.slot_starts=[0.0, 0.3, 0.6]")
LOOP = ("model.recurrence.loops=1", "model.recurrence.first=1", "model.recurrence.last=1", "model.recurrence.starts=[0.5]")


def trained(config: Config) -> list[Tensor]:
    return weights(train(config, CountingLoader(config), Clock(), silent()).model)


class Calls:
    """The shapes that the objective is called with, in their order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shapes: list[tuple[int, ...]] = []
        forward = train_module.Objective.forward

        def watched(objective: nn.Module, tokens: Tensor, targets: Tensor, fraction: Tensor) -> Tensor:
            self.shapes.append(tuple(tokens.shape))
            return forward(objective, tokens, targets, fraction)  # type: ignore[arg-type]

        monkeypatch.setattr(train_module.Objective, "forward", watched)


def test_a_run_without_a_curriculum_is_one_stage() -> None:
    config = small()
    assert config.curriculum == CurriculumConfig()
    assert starts(config) == [0.0]
    assert stage(config, 0.0) == stage(config, 1.0) == Stage(12, 4)


def test_stages_begin_where_they_say() -> None:
    config = small(*LENGTHS, *SLOTS, *LOOP)
    assert starts(config) == [0.0, 0.3, 0.5, 0.6]
    assert [stage(config, f) for f in (0.0, 0.29, 0.3, 0.6, 1.0)] == [
        Stage(3, 1),
        Stage(3, 1),
        Stage(6, 2),
        Stage(12, 4),
        Stage(12, 4),
    ]


def test_rows_grow_with_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six steps of eight rows: the same tokens in every step."""
    calls = Calls(monkeypatch)
    trained(small(*LENGTHS))
    assert calls.shapes == [(32, 3)] * 2 + [(16, 6)] * 2 + [(8, 12)] * 2


def test_batches_grow_with_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls(monkeypatch)
    trained(small(*SLOTS))
    assert calls.shapes == [(2, 12)] * 2 + [(4, 12)] * 2 + [(8, 12)] * 2


def test_short_rows_are_trained_like_rows_of_that_length() -> None:
    cut, short = small("curriculum.lengths=[6]", "curriculum.length_starts=[0.0]"), small("data.seq_len=6", "evaluate.stride=6")

    class ShortRows(CountingLoader):
        def batch(self, step: int, slot: int) -> tuple[Tensor, Tensor]:
            tokens, targets = CountingLoader(cut).batch(step, slot)
            return tokens.reshape(-1, 6), targets.reshape(-1, 6)

    expected = weights(train(short, ShortRows(short), Clock(), silent()).model)
    assert largest_difference(trained(cut), expected) < 1e-12


def test_a_smaller_batch_is_the_mean_of_its_own_slots() -> None:
    """Two slots of four are a run of two slots that reads those."""
    some = small("curriculum.slots=[2]", "curriculum.slot_starts=[0.0]")

    class FirstTwo(CountingLoader):
        def batch(self, step: int, slot: int) -> tuple[Tensor, Tensor]:
            return CountingLoader(some).batch(step, slot)

    half = small("data.slots=2", "data.batch_tokens=48")
    expected = weights(train(half, FirstTwo(half), Clock(), silent()).model)
    assert largest_difference(trained(some), expected) < 1e-12


def test_every_shape_is_compiled_before_the_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """No step calls the loss with a plan or a shape that the warm-up has not; the warm-up changes nothing."""
    calls = Calls(monkeypatch)
    config = small(*LENGTHS, *SLOTS, *LOOP, "run.warmup_steps=1", "run.steps=20")
    monkeypatch.setattr(train_module, "PASS_TOKENS", 72)  # three slots in a pass: the last pass of four is shorter
    primed: list[set[tuple[int, ...]]] = []
    begin = train_module.Trainer.take_up

    def at_the_start(trainer: train_module.Trainer, state: object) -> None:
        primed.append(set(calls.shapes))
        calls.shapes.clear()
        begin(trainer, None)

    monkeypatch.setattr(train_module.Trainer, "take_up", at_the_start)
    warm = trained(config)
    assert set(calls.shapes) == primed[0] and len(primed[0]) == 4
    assert largest_difference(warm, trained(small(*LENGTHS, *SLOTS, *LOOP, "run.steps=20"))) < 1e-12


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        (("curriculum.lengths=[5]", "curriculum.length_starts=[0.0]"), "must divide data.seq_len"),
        (("curriculum.lengths=[6]",), "one number per stage of curriculum.lengths"),
        (("curriculum.slots=[5]", "curriculum.slot_starts=[0.0]"), "at most data.slots"),
        (("curriculum.slots=[1, 2]", "curriculum.slot_starts=[0.0, 0.0]"), "must rise from 0"),
        (("curriculum.slots=[1, 2]", "curriculum.slot_starts=[0.1, 0.2]"), "must rise from 0"),
        (("curriculum.lengths=[2]", "curriculum.length_starts=[0.0]", "losses.mtp_heads=3"), "losses.mtp_heads must be from 0"),
    ],
)
def test_impossible_stages_are_refused(settings: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        small(*settings)


def test_a_curriculum_shrinks_with_its_recipe() -> None:
    overrides = ["curriculum.lengths=[256, 1024]", "curriculum.length_starts=[0.0, 0.5]"]
    shrunk = tiny(load_recipe("naive", [*overrides, "curriculum.slots=[4]", "curriculum.slot_starts=[0.0]"]))
    assert shrunk.curriculum.lengths == (16, 64) and shrunk.curriculum.slots == (1,)


# Progressive unfreezing


def test_blocks_join_in_from_the_last_to_the_first() -> None:
    assert [len(frozen_blocks(f, 0.4, 5)) for f in (0.0, 0.05, 0.11, 0.25, 0.31, 0.39, 0.4, 1.0)] == [4, 4, 3, 2, 1, 1, 0, 0]
    assert frozen_blocks(0.0, 0.0, 5) == range(0)
    assert frozen_blocks(0.0, 0.5, 1) == range(0)


EVERYTHING = (
    "model.attention.gate=bias",
    "model.attention.value_residual=pair",
    "model.block.canon=both",
    "model.recurrence.loops=1",
    "model.recurrence.last=2",
    "model.recurrence.untied_mlp=true",
    "model.ternary_group=8",
)


@pytest.mark.parametrize("block", [0, 1, 2])
@pytest.mark.parametrize("extra", [(), EVERYTHING])
def test_freezing_a_block_freezes_all_its_tensors_and_no_other(block: int, extra: tuple[str, ...]) -> None:
    """With momentum, decay, L1 and Adam for some matrices; three steps, of which the first two are frozen."""
    decays = ("optim.matrix_decay=0.1", "optim.scalar_decay=0.1", "optim.matrix_l1=0.1", "optim.adam_blocks=[1]")
    config = small(*extra, *decays, "optim.clip_norm=0.3")
    model = random_model(config)
    names, optimizers, freezer = list(registry(model).values()), Optimizers(model, config.optim, World.single()), Freezer(model)
    before = weights(model)
    for step in range(3):
        for parameter in model.parameters():
            parameter.grad = torch.cos(parameter.detach() * (step + 1))
        with freezer.held(range(block, block + 1) if step < 2 else range(0)):
            optimizers.step(1.0, 0.9)
        moved = [not torch.equal(p, q) for p, q in zip(weights(model), before, strict=True)]
        assert moved == [entry.layer != block or step == 2 for entry in names]


def test_a_block_stays_frozen_when_a_step_fails() -> None:
    model = random_model(small())
    before = weights(model)
    with pytest.raises(RuntimeError, match="the step"), Freezer(model).held(range(1)), torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
        raise RuntimeError("the step")
    moved = [not torch.equal(p, q) for p, q in zip(weights(model), before, strict=True)]
    assert moved == [entry.layer != 0 for entry in registry(model).values()]


def test_a_frozen_block_does_not_count_for_the_clipped_norm() -> None:
    """A huge gradient of a frozen block leaves the others' steps as they are."""

    def step(size: float) -> Tensor:
        config = small("optim.clip_norm=0.3")
        model = random_model(config)
        for name, parameter in model.named_parameters():
            parameter.grad = torch.full_like(parameter, size if ".0." in name else 1.0)
        with Freezer(model).held(range(1)):
            Optimizers(model, config.optim, World.single()).step(1.0, 0.9)
        return model.embedding.table.detach()

    assert torch.equal(step(1.0), step(1e6))


def test_a_run_unfreezes_its_blocks() -> None:
    """Until the end of the first half block 0 is what it was."""
    config = small("curriculum.unfreeze=0.5")
    start = weights(train_module.build_model(config, torch.device("cpu")).blocks[0])
    seen: list[bool] = []

    def look(model: GPT) -> tuple[float, float]:
        seen.append(largest_difference(weights(model.blocks[0]), start) == 0)
        return 1.0, 1.0

    watched = small("curriculum.unfreeze=0.5", "run.validate_every=1")
    train(watched, CountingLoader(watched), Clock(), silent(), validate=look)
    assert seen == [True] * 4 + [False] * 3


# Quantisation-aware training

INTEGERS = [Route(Form.INTEGER, bits) for bits in range(2, 9)]


def test_matrices_are_rounded_by_scales_with_a_floor() -> None:
    """As the export rounds them: codes are multiples of the floor over the largest code."""
    config = small("export.scale_floor=1.0", "export.matrix_bits=6", "optim.qat_from=0.0")
    model = random_model(config)
    weight = model.blocks[0].mlp.up
    real, expected = weight.detach().clone(), quantised_matrices(model, config, {})["blocks.0.mlp.up"].expanded()
    with RoundedMatrices(model, config).rounded(0.5):
        assert torch.equal(weight.float(), expected)
    assert torch.equal(weight, real) and not torch.equal(real.float(), expected)


@pytest.mark.parametrize("way", [*INTEGERS, HALF, FLOAT8, KEPT, TERNARY])
def test_a_matrix_is_rounded_as_the_artifact_rounds_it(way: Route) -> None:
    weight = torch.randn(6, 10, dtype=torch.float64)
    weight[2] = 0
    rounded = as_stored(weight, way)
    if way.form is Form.INTEGER:
        torch.testing.assert_close(rounded.float(), dequantise(*quantise(weight, way.bits)), rtol=1e-6, atol=0)
    elif way.form in (Form.KEPT, Form.TERNARY):
        assert rounded is weight
    else:
        assert torch.equal(rounded, weight.to(torch.float16 if way is HALF else torch.float8_e4m3fn).double())
    assert torch.equal(as_stored(rounded, way), rounded)


def test_gradients_are_those_of_the_rounded_matrices_and_weights_stay_real() -> None:
    """Straight through: the loss and every gradient are those of a model that holds the rounded matrices."""
    config = small("optim.qat_from=0.5", "export.matrix_bits=4")
    model, rounded = random_model(config), random_model(config)
    tokens = random_tokens(config)
    entries, before = registry(model), weights(model)
    with torch.no_grad():
        for name, parameter in rounded.named_parameters():
            if entries[name].group is Group.MATRIX:
                parameter.copy_(as_stored(parameter, route(entries[name], config)))
    expected = rounded.loss(tokens, tokens)
    expected.backward()
    with RoundedMatrices(model, config).rounded(0.5):
        loss = model.loss(tokens, tokens)
        loss.backward()
    assert torch.equal(loss, expected)
    assert all(torch.equal(p.grad, q.grad) for p, q in zip(model.parameters(), rounded.parameters(), strict=True))
    assert all(torch.equal(p, q) for p, q in zip(weights(model), before, strict=True))
    assert largest_difference(weights(rounded), before) > 1e-3


def test_before_its_onset_nothing_is_rounded() -> None:
    """Up to the onset the weights are those of a run without it; afterwards they are others."""
    runs = {onset: trained(small("export.matrix_bits=3", f"optim.qat_from={onset}")) for onset in (0.0, 0.5, 0.99, 1.0)}
    assert largest_difference(runs[0.99], runs[1.0]) == 0
    assert largest_difference(runs[0.5], runs[1.0]) > 1e-3
    assert largest_difference(runs[0.0], runs[0.5]) > 1e-3


def test_training_on_rounded_matrices_loses_less_when_they_are_rounded() -> None:
    """On a text that can be learnt: the loss after rounding to 3 bits."""
    losses = []
    for onset in (0.5, 1.0):
        config = small(
            "run.steps=120", "export.matrix_bits=3", f"optim.qat_from={onset}", "optim.matrix_lr=0.02", "optim.warmdown=0.5"
        )
        model = train(config, CountingLoader(config), Clock(), silent()).model
        with torch.no_grad(), RoundedMatrices(model, small("optim.qat_from=0.0", "export.matrix_bits=3")).rounded(1.0):
            losses.append(float(model.loss(*CountingLoader(config).batch(500, 0))))
    assert losses[0] < losses[1]
