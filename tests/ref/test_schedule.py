"""Schedules by their properties, and against the formulas of the public scripts."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from pgolf_ref.config import OptimConfig
from pgolf_ref.distributed import World
from pgolf_ref.optim.plateau import Plateau
from pgolf_ref.optim.schedule import Place, decay_multiplier, lr_multiplier, momentum, progress, rates

FRACTIONS = st.floats(0, 1)


def at(fraction: float) -> Place:
    """Of a run of a thousand steps that each take the same time."""
    return Place(round(1000 * fraction), 1000, fraction)


@given(first=FRACTIONS, second=FRACTIONS, warmdown=FRACTIONS, floor=FRACTIONS)
def test_rate_never_rises_and_stays_in_range(first: float, second: float, warmdown: float, floor: float) -> None:
    optim = OptimConfig(warmdown=warmdown, min_lr=floor)
    early, late = sorted((first, second))
    assert 1.0 >= lr_multiplier(at(early), optim) >= lr_multiplier(at(late), optim) - 1e-12
    assert lr_multiplier(at(late), optim) >= floor - 1e-12


@given(step=st.integers(0, 99))
def test_rate_in_step_form_is_the_official_one(step: int) -> None:
    """(iterations - step) / warmdown_iters over the last 40 of 100 steps, 1 before."""
    fraction = progress(step, 100, 0.0, 0.0)
    official = (100 - step) / 40 if step >= 60 else 1.0
    for optim in (OptimConfig(warmdown=0.4), OptimConfig(warmdown=0.4, schedule="steps")):
        assert lr_multiplier(Place(step, 100, fraction), optim) == pytest.approx(official)


@given(step=st.integers(0, 99), floor=FRACTIONS)
def test_the_floor_cuts_the_line_as_in_the_public_scripts(step: int, floor: float) -> None:
    """max((1 - frac) / warmdown_frac, min_lr) from frac = 1 - warmdown_frac on (PR 1493), 1 before."""
    frac = step / 100
    public = max((1 - frac) / 0.72, floor) if frac >= 1 - 0.72 else 1.0
    assert lr_multiplier(at(frac), OptimConfig(warmdown=0.72, min_lr=floor)) == pytest.approx(public)


def test_ends_of_the_schedules() -> None:
    optim = OptimConfig(warmdown=0.5, min_lr=0.1, momentum=0.95, momentum_start=0.85, momentum_warmup=0.2)
    assert [lr_multiplier(at(f), optim) for f in (0.0, 0.5, 1.0)] == [1.0, 1.0, pytest.approx(0.1)]
    assert [momentum(f, optim) for f in (0.0, 0.1, 0.2, 1.0)] == pytest.approx([0.85, 0.9, 0.95, 0.95])
    assert momentum(0.0, OptimConfig(momentum_warmup=0.0)) == 0.95
    assert lr_multiplier(at(1.0), OptimConfig(warmdown=0.0)) == 1.0


@given(fraction=FRACTIONS, warmdown=st.floats(0.01, 1))
def test_the_cosine_has_the_ends_and_the_middle_of_the_line(fraction: float, warmdown: float) -> None:
    line, cosine = (OptimConfig(warmdown=warmdown, min_lr=0.1, warmdown_shape=shape) for shape in ("linear", "cosine"))
    for f in (0.0, 1 - warmdown, 1 - warmdown / 2, 1.0):
        assert lr_multiplier(at(f), cosine) == pytest.approx(lr_multiplier(at(f), line))
    assert 0.1 - 1e-12 <= lr_multiplier(at(fraction), cosine) <= 1.0


def test_momentum_swings_after_its_warm_up() -> None:
    optim = OptimConfig(momentum=0.95, momentum_start=0.85, momentum_low=0.85, momentum_warmup=0.2, momentum_cycle=0.1)
    assert [momentum(f, optim) for f in (0.0, 0.2, 0.25, 0.3, 0.4)] == pytest.approx([0.85, 0.95, 0.9, 0.85, 0.95])


def test_the_taper_of_the_decay_ends_at_its_multiple() -> None:
    optim = OptimConfig(decay_taper=0.3, decay_end=0.5)
    assert [decay_multiplier(f, optim) for f in (0.0, 0.7, 0.85, 1.0)] == pytest.approx([1.0, 1.0, 0.75, 0.5])
    assert decay_multiplier(1.0, OptimConfig()) == 1.0


def test_progress_is_whichever_is_further() -> None:
    assert progress(10, 100, 30.0, 60.0) == 0.5
    assert progress(80, 100, 30.0, 60.0) == 0.8
    assert progress(10, 100, 99.0, 0.0) == 0.1
    assert progress(10, 100, 99.0, 60.0) == 1.0


def official_iterations(step: int, elapsed: float, budget: float, iterations: int, warmdown: int) -> float:
    """The schedule of the official script, which knows the pace so far."""
    if budget == 0:
        return (iterations - step) / warmdown if step >= iterations - warmdown else 1.0
    per_step = elapsed / max(step, 1)
    remaining = max(budget - elapsed, 0.0)
    return remaining / (warmdown * per_step) if remaining <= warmdown * per_step else 1.0


@given(step=st.integers(1, 199), pace=st.floats(0.01, 50), budget=st.sampled_from([0.0, 100.0]), warmdown=st.integers(1, 400))
def test_the_iterations_form_is_the_official_one(step: int, pace: float, budget: float, warmdown: int) -> None:
    """With a budget that ends the run before its steps do, or none; a warm-down longer than the run throttles it from the start."""
    elapsed = min(pace * step, 99.9)
    fraction = elapsed / budget if budget else step / 200
    optim = OptimConfig(schedule="iterations", warmdown_steps=warmdown)
    expected = official_iterations(step, elapsed, budget, 200, warmdown)
    assert lr_multiplier(Place(step, 200, fraction), optim) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_a_warmdown_longer_than_the_run_starts_below_one() -> None:
    optim = OptimConfig(schedule="iterations", warmdown_steps=400)
    assert lr_multiplier(Place(0, 200, 0.0), optim) == 0.5
    assert lr_multiplier(Place(0, 200, 0.0), OptimConfig(schedule="iterations")) == 1.0


def test_seconds_do_not_count_in_the_steps_form() -> None:
    optim = OptimConfig(schedule="steps", warmdown=0.5, min_lr=0.1)
    assert lr_multiplier(Place(10, 100, 0.99), optim) == 1.0
    assert lr_multiplier(Place(100, 100, 1.0), optim) == pytest.approx(0.1)


def test_the_warmdown_waits_for_its_step() -> None:
    optim = OptimConfig(warmdown=1.0, warmdown_after=300)
    assert lr_multiplier(at(0.299), optim) == 1.0
    assert lr_multiplier(at(0.3), optim) == pytest.approx(0.7)


def test_the_multipliers_of_a_step_belong_together() -> None:
    optim = OptimConfig(warmdown=0.5, decay_taper=0.5, decay_end=0.2, momentum_warmup=1.0)
    found = rates(at(0.75), optim)
    assert (found.lr, found.decay, found.momentum) == pytest.approx((0.5, 0.6, 0.925))


def plateau_of(losses: list[float], stretch: float, gain: float = 0.0, resume_at: int = -1) -> float | None:
    """Where a run with these losses of its steps is found to learn no more."""
    found = Plateau(stretch, gain, World.single())
    for step, loss in enumerate(losses, start=1):
        if step == resume_at:
            state, found = found.state_dict(), Plateau(stretch, gain, World.single())
            found.load_state_dict(state)
        found.update(torch.tensor(loss), step / len(losses))
    return found.since


def brute_force_plateau(losses: list[float], stretches: int, gain: float) -> float | None:
    """Means of equal stretches, one after another."""
    size = len(losses) // stretches
    means = [sum(losses[i * size : (i + 1) * size]) / size for i in range(stretches)]
    late = [i for i in range(1, stretches) if means[i] > means[i - 1] - gain]
    return (late[0] + 1) / stretches if late else None


@given(
    losses=st.lists(st.floats(1, 2, width=16), min_size=20, max_size=20),
    gain=st.sampled_from([0.0, 0.1]),
    resume_at=st.integers(1, 20),
)
def test_a_plateau_is_where_the_mean_of_a_stretch_falls_no_more(losses: list[float], gain: float, resume_at: int) -> None:
    """Also if the run was interrupted at some step."""
    expected = brute_force_plateau(losses, 5, gain)
    for resumed in (-1, resume_at):
        found = plateau_of(losses, 0.2, gain, resumed)
        assert found == (None if expected is None else pytest.approx(expected))


def test_a_plateau_begins_the_warmdown_early_and_never_late() -> None:
    optim = OptimConfig(warmdown=0.5, plateau=0.1)
    assert lr_multiplier(at(0.4), optim, None) == 1.0
    assert lr_multiplier(at(0.4), optim, 0.2) == pytest.approx(0.75)
    assert lr_multiplier(at(0.8), optim, 0.7) == lr_multiplier(at(0.8), optim) == pytest.approx(0.4)
