"""Every part of the objective, switched on alone: its formula, its absence when off, its gradients."""

import math
from collections.abc import Callable

import pytest
import torch
from toys import CountingLoader, largest_difference, random_model, random_tokens, small, toy_vocabulary, weights

from pgolf_ref.clock import Clock
from pgolf_ref.config import Config
from pgolf_ref.distributed import World
from pgolf_ref.log import silent
from pgolf_ref.losses.auxiliary import next_word
from pgolf_ref.losses.objective import Objective
from pgolf_ref.model.gpt import GPT
from pgolf_ref.model.loss import softcapped_cross_entropy
from pgolf_ref.optim.groups import Optimizers
from pgolf_ref.registry import registry
from pgolf_ref.train import train

V = 40
STARTS = toy_vocabulary(V).word_start.tolist()
HALF = torch.tensor(0.5, dtype=torch.float64)

Row = list[float]  # probabilities of the vocabulary at one position
Literal = Callable[[Row, list[int], int], float]  # probabilities, targets of the row, position -> weighted loss


def nll(p: Row, targets: list[int], t: int) -> float:
    return -math.log(p[targets[t]])


def ends_word(targets: list[int], t: int) -> bool:
    return t + 1 < len(targets) and STARTS[targets[t + 1]]


TERMS: dict[str, tuple[tuple[str, ...], Literal]] = {
    "class weights": (
        ("losses.word_start_weight=1.5", "losses.continuation_weight=0.8"),
        lambda p, y, t: (1.5 if STARTS[y[t]] else 0.8) * nll(p, y, t),
    ),
    "word-start curriculum": (
        ("losses.word_start_weight_initial=0.1", "losses.word_start_ramp=0.8"),
        lambda p, y, t: (0.1 + 0.9 * 0.5 / 0.8 if STARTS[y[t]] else 1) * nll(p, y, t),
    ),
    "boundary boost": (
        ("losses.boundary_boost=0.5",),
        lambda p, y, t: (1.5 if STARTS[y[t]] or ends_word(y, t) else 1) * nll(p, y, t),
    ),
    "position ramp": (("losses.position_ramp=1.2",), lambda p, y, t: (1 + 0.2 * t / (len(y) - 1)) * nll(p, y, t)),
    "ignored target": (("losses.ignored_target=7",), lambda p, y, t: 0 if y[t] == 7 else nll(p, y, t)),
    "focal": (("losses.focal=2.0",), lambda p, y, t: (1 - p[y[t]]) ** 2 * nll(p, y, t)),
    "focal later": (("losses.focal=2.0", "losses.focal_from=0.7"), nll),
    "label smoothing": (
        ("losses.label_smoothing=0.05",),
        lambda p, y, t: 0.95 * nll(p, y, t) - 0.05 * sum(map(math.log, p)) / V,
    ),
    "mile": (("losses.mile=1.0",), lambda p, y, t: (1 - sum(q * math.log(q) for q in p)) * nll(p, y, t)),
}


def batch(config: Config) -> tuple[torch.Tensor, torch.Tensor]:
    return random_tokens(config), random_tokens(config, seed=1)


@pytest.mark.parametrize("name", TERMS)
def test_loss_is_what_the_formula_says(name: str) -> None:
    """From the probabilities, position by position; the mean is over all targets."""
    overrides, literal = TERMS[name]
    config = small(*overrides)
    model, (tokens, targets) = random_model(config), batch(config)
    targets[0, 3] = 7
    with torch.no_grad():
        probabilities = torch.softmax(model(tokens), dim=-1).tolist()
        expected = [literal(row[t], y, t) for row, y in zip(probabilities, targets.tolist(), strict=True) for t in range(len(y))]
        ours = Objective(model, config.losses)(tokens, targets, HALF)
    assert float(ours) == pytest.approx(sum(expected) / len(expected), rel=1e-10)


def test_z_loss_is_what_the_formula_says() -> None:
    config = small("losses.z_loss=0.01")
    model, (tokens, targets) = random_model(config), batch(config)
    with torch.no_grad():
        z = [math.log(sum(map(math.exp, row))) for row in model(tokens).flatten(0, 1).tolist()]
        expected = float(model.loss(tokens, targets)) + 0.01 * sum(value**2 for value in z) / len(z)
        assert float(Objective(model, config.losses)(tokens, targets, HALF)) == pytest.approx(expected, rel=1e-10)


def auxiliary(config: Config) -> tuple[GPT, Objective]:
    """A model and an objective whose every parameter is random."""
    model = random_model(config)
    objective = Objective(model, config.losses).double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in objective.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.3 + 0.1)
    return model, objective


def capped_nll(hidden: torch.Tensor, matrix: torch.Tensor, target: int, cap: float) -> float:
    scores = [cap * math.tanh(float(hidden @ row) / cap) for row in matrix]
    return math.log(sum(map(math.exp, scores))) - scores[target]


def test_multi_token_prediction_is_what_the_formula_says() -> None:
    """Head k predicts the target k places further on; the mean over heads and over positions that have one."""
    config = small("losses.mtp_heads=2", "losses.mtp_weight=0.3")
    model, objective = auxiliary(config)
    tokens, targets = batch(config)
    with torch.no_grad():
        hidden, heads = model.hidden(tokens), objective.multi_token.weights
        losses = []
        for ahead in (1, 2):
            places = [(b, t) for b in range(2) for t in range(12 - ahead)]
            nats = [capped_nll(hidden[b, t], heads[ahead - 1], int(targets[b, t + ahead]), config.model.softcap) for b, t in places]
            losses.append(sum(nats) / len(nats))
        expected = float(model.loss(tokens, targets)) + 0.3 * sum(losses) / 2
        assert float(objective(tokens, targets, HALF)) == pytest.approx(expected, rel=1e-10)


def test_next_word_prediction_is_what_the_formula_says() -> None:
    config = small("losses.next_word_weight=0.2")
    model, objective = auxiliary(config)
    tokens, targets = batch(config)
    with torch.no_grad():
        hidden, total = model.hidden(tokens), 0.0
        for b, y in enumerate(targets.tolist()):
            for t in range(12):
                later = [token for token in y[t + 1 :] if STARTS[token]]
                if later:
                    total += capped_nll(hidden[b, t], objective.next_word.weight, later[0], config.model.softcap)
        expected = float(model.loss(tokens, targets)) + 0.2 * total / 24
        assert float(objective(tokens, targets, HALF)) == pytest.approx(expected, rel=1e-10)


def test_word_start_head_is_what_the_formula_says() -> None:
    config = small("losses.word_start_head_weight=0.15")
    model, objective = auxiliary(config)
    tokens, targets = batch(config)
    with torch.no_grad():
        scores = (model.hidden(tokens) @ objective.word_start.weight + objective.word_start.bias).flatten().tolist()
        chosen = [1 / (1 + math.exp(-s if STARTS[y] else s)) for s, y in zip(scores, targets.flatten().tolist(), strict=True)]
        expected = float(model.loss(tokens, targets)) - 0.15 * sum(map(math.log, chosen)) / 24
        assert float(objective(tokens, targets, HALF)) == pytest.approx(expected, rel=1e-10)


JEPA = ("losses.jepa_weight=0.1", "model.embedding.hash.rows=23", "model.embedding.hash.dim=8")


def test_prediction_of_hash_embeddings_is_what_the_formula_says() -> None:
    config = small(*JEPA)
    model, objective = auxiliary(config)
    tokens, targets = batch(config)
    with torch.no_grad():
        hidden, vectors, total = model.hidden(tokens), model.embedding.hash_vectors(tokens), 0.0
        for b in range(2):
            for t in range(11):
                inner = (objective.predictor.up @ hidden[b, t]).clamp(min=0) ** 2
                total += float(((objective.predictor.down @ inner - vectors[b, t + 1]) ** 2).mean())
        expected = float(model.loss(tokens, targets)) + 0.1 * total / 22
        assert float(objective(tokens, targets, HALF)) == pytest.approx(expected, rel=1e-10)


def test_the_predicted_hash_embedding_gets_no_gradient_as_a_target() -> None:
    """Else both could agree on a constant."""
    config = small(*JEPA)
    model, objective = auxiliary(config)
    tokens, _ = batch(config)
    vectors = model.embedding.hash_vectors(tokens).requires_grad_()
    loss = objective.predictor(model.hidden(tokens).detach(), vectors)
    table = model.embedding.ngrams.tables[0].table
    assert torch.autograd.grad(loss, table, allow_unused=True) == (None,)


@pytest.mark.parametrize("name", ["mtp", "next word", "word start", "jepa"])
def test_auxiliary_heads_have_no_targets_in_the_places_of_memory_tokens(name: str) -> None:
    config = small(*AUXILIARY[name], "model.embedding.memory_tokens=4")
    _, objective = auxiliary(config)
    tokens, targets = batch(config)
    changed = targets.clone()
    changed[:, :4] = (changed[:, :4] + 1) % V
    with torch.no_grad():
        assert torch.equal(objective(tokens, targets, HALF), objective(tokens, changed, HALF))


def test_next_word_is_the_first_later_one() -> None:
    starts = torch.tensor([[True, False, False, True, True, False], [False] * 6])
    assert next_word(starts).tolist() == [[3, 3, 3, 4, 6, 6], [6] * 6]


AUXILIARY = {
    "mtp": ("losses.mtp_heads=2",),
    "next word": ("losses.next_word_weight=0.2",),
    "word start": ("losses.word_start_head_weight=0.15",),
    "jepa": JEPA,
}


def test_with_everything_off_it_is_the_loss_of_the_model() -> None:
    """To the bit, in value and gradient, and without a parameter of its own."""
    config = small()
    model, (tokens, targets) = random_model(config), batch(config)
    objective = Objective(model, config.losses)
    assert [id(p) for p in objective.parameters()] == [id(p) for p in model.parameters()]
    ours, plain = objective(tokens, targets, HALF), model.loss(tokens, targets)
    assert torch.equal(ours, plain)
    for got, expected in zip(*(torch.autograd.grad(loss, [*model.parameters()]) for loss in (ours, plain)), strict=True):
        assert torch.equal(got, expected)


@pytest.mark.parametrize("name", AUXILIARY)
def test_auxiliary_heads_are_trained_and_are_no_part_of_the_model(name: str) -> None:
    config = small(*AUXILIARY[name])
    torch.manual_seed(0)
    model = GPT(config.model).double()
    model.use_vocabulary(toy_vocabulary(V))
    objective = Objective(model, config.losses).double()
    optimizers = Optimizers(objective, config.optim, World.single())
    loader, had_gradient = CountingLoader(config), set()
    for step in range(3):
        objective(*loader.batch(step, 0), HALF).backward()
        had_gradient |= {key for key, p in objective.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}
        optimizers.step(1.0, 0.9)
        optimizers.zero_grad()
    assert had_gradient == set(registry(objective))
    own = {key for key in had_gradient if not key.startswith("model.")}
    assert own and {f"model.{key}" for key in registry(model)} == had_gradient - own


@pytest.mark.parametrize("name", [*TERMS, *AUXILIARY])
def test_the_objective_of_two_halves_is_that_of_the_whole(name: str) -> None:
    """A batch may be cut into slots: the mean of the parts is the whole."""
    config = small(*(AUXILIARY[name] if name in AUXILIARY else TERMS[name][0]))
    _, objective = auxiliary(config)
    tokens, targets = random_tokens(config, rows=4), random_tokens(config, rows=4, seed=1)
    with torch.no_grad():
        whole = objective(tokens, targets, HALF)
        parts = [objective(tokens[rows], targets[rows], HALF) for rows in (slice(0, 2), slice(2, 4))]
    torch.testing.assert_close(whole, torch.stack(parts).mean())


def test_focal_loss_of_a_certain_target_has_a_finite_gradient() -> None:
    config = small("losses.focal=0.5", "model.softcap=1000.0")
    model, tokens = random_model(config), torch.full((1, 12), 5)
    with torch.no_grad():
        model.embedding.table[5] *= 100
    Objective(model, config.losses)(tokens, tokens, HALF).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_weighted_rows_of_the_fused_loss() -> None:
    """In value and gradient against the plain formula."""
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(11, 6, dtype=torch.float64, generator=generator, requires_grad=True)
    weight = torch.randn(V, 6, dtype=torch.float64, generator=generator, requires_grad=True)
    targets, counts = torch.randint(V, (11,), generator=generator), torch.rand(11, dtype=torch.float64, generator=generator)
    ours = softcapped_cross_entropy(hidden, weight, targets, 2.5, counts)
    rows = torch.nn.functional.cross_entropy(2.5 * torch.tanh(hidden @ weight.T / 2.5), targets, reduction="none")
    plain = (rows * counts).mean()
    torch.testing.assert_close(ours, plain)
    gradients = (torch.autograd.grad(value, (hidden, weight)) for value in (ours, plain))
    for got, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(got, expected)


def trained(*overrides: str, steps: int = 4) -> list[torch.Tensor]:
    config = small(*overrides, f"run.steps={steps}")
    return weights(train(config, CountingLoader(config), Clock(), silent(), vocabulary=toy_vocabulary(V)).model)


def test_training_minimises_the_objective_of_the_recipe() -> None:
    assert largest_difference(trained("losses.label_smoothing=0.3"), trained()) > 1e-6


def test_training_tells_the_objective_how_far_it_is() -> None:
    """A focal loss from the last quarter of the run on changes its last step alone."""
    late = "losses.focal_from=0.75"
    assert largest_difference(trained("losses.focal=2.0", late), trained("losses.z_loss=0.0", late)) > 1e-9
    never = trained("losses.focal=2.0", "losses.focal_from=0.76")
    assert largest_difference(never, trained()) < 1e-12


@pytest.mark.parametrize("slots", [1, 2])
def test_trained_weights_do_not_depend_on_the_number_of_slots(slots: int) -> None:
    """With weights of targets and every auxiliary head."""
    overrides = ("losses.word_start_weight=1.5", *(o for group in AUXILIARY.values() for o in group))
    assert largest_difference(trained(*overrides), trained(*overrides, f"data.slots={slots}")) < 1e-9
