"""The events that an abstract run leaves: scores, what their states have seen, reports, loops, branches, calls, configurations."""

from __future__ import annotations

import sys

import pytest
from abstract_runs import HEAD, ran, runs
from hypothesis import given, settings
from programs import programs
from submissions import log, run

from pgolf_check.model import Event, Location, Severity
from pgolf_check.submission.model import Command

LINES = HEAD.count("\n")
"""Lines before the source of a test."""
TRAIN = "F.cross_entropy(model(x), y).backward(); optimizer.step()"
SCORE = "print(f'final val_bpb:{F.cross_entropy(model(x), y).item():.8f}')"


def score_of(source: str) -> Event:
    """The only score behind the claim."""
    claim = ran(source).claim
    assert claim is not None
    (score,) = claim.scores
    return score


def seen(source: str) -> set[str]:
    """How the tokens reached the state that the claim was scored with."""
    return {update.text for update in score_of(source).seen if update.regions}


def test_a_score_knows_its_place_its_stream_and_its_report() -> None:
    found = ran("loss = F.cross_entropy(model(x), y)\nprint(f'final val_bpb:{loss.item():.4f} in {3} s')")
    assert found.claim is not None and found.claim.text == "final val_bpb:{} in 3 s"
    (score,) = found.claim.scores
    assert (score.location.path, score.location.line) == ("train_gpt.py", LINES + 1)
    assert [region.stream for region in score.regions] == ["val"]
    assert [place.line for place in score.reads] == [HEAD[: HEAD.index("tokens =")].count("\n") + 1]
    assert score.seen == ()


def test_training_on_the_training_shards_brings_no_validation_tokens() -> None:
    train = "t = torch.from_numpy(np.fromfile('fineweb_train_000001.bin', dtype=np.uint16)).long()\n"
    assert seen(train + "F.cross_entropy(model(t[:-1]), t[1:]).backward()\noptimizer.step()\n" + SCORE) == set()
    assert seen(TRAIN + "\n" + SCORE) == {"gradient"}


CARRIED = {
    "in place": "",
    "deep copy": "model = copy.deepcopy(model)",
    "state dict": "fresh = nn.Linear(8, 1024); fresh.load_state_dict(model.state_dict()); model = fresh",
    "cloned state dict": "kept = {k: v.clone() for k, v in model.state_dict().items()}; model = nn.Linear(8, 1024); model.load_state_dict(kept)",
    "file": "torch.save(model.state_dict(), 'm.pt'); model = nn.Linear(8, 1024); model.load_state_dict(torch.load('m.pt'))",
    "buffer": "b = io.BytesIO(); torch.save(model.state_dict(), b); model = nn.Linear(8, 1024); "
    "model.load_state_dict(torch.load(io.BytesIO(b.getvalue())))",
    "quantised": "q = {k: ((v * 127).round().to(torch.int8), v.amax()) for k, v in model.state_dict().items()}; model = nn.Linear(8, 1024); "
    "model.load_state_dict({k: c.float() * s for k, (c, s) in q.items()})",
    "average": "other = nn.Linear(8, 1024)\nwith torch.no_grad():\n    for a, b in zip(other.parameters(), model.parameters()):\n"
    "        a.mul_(0.9).add_(b, alpha=0.1)\nmodel = other",
    "weight by weight": "other = nn.Linear(8, 1024)\nfor a, b in zip(other.parameters(), model.parameters()):\n    a.data.copy_(b.data)\nmodel = other",
    "interpolated": "other = nn.Linear(8, 1024)\nfor a, b in zip(other.parameters(), model.parameters()):\n    a.data.lerp_(b.data, 0.1)\nmodel = other",
    "compiled": "model = torch.compile(model)",
    "attribute": "class Box: pass\nbox = Box()\nbox.net = model\nmodel = box.net",
    "list": "models = [nn.Linear(8, 1024), model]\nmodel = models[-1]",
    "closure": "def get():\n    return model\nmodel = get()",
}
CLEAN = {
    "before": "kept = copy.deepcopy(model)\n" + TRAIN + "\nmodel = kept",
    "restored": "kept = {k: v.clone() for k, v in model.state_dict().items()}\n" + TRAIN + "\nmodel.load_state_dict(kept)",
    "restored weights": "kept = [p.detach().clone() for p in model.parameters()]\n" + TRAIN
    + "\nwith torch.no_grad():\n    for p, k in zip(model.parameters(), kept):\n        p.copy_(k)",
    "restored from a file": "torch.save(model.state_dict(), 'm.pt')\n" + TRAIN + "\nmodel.load_state_dict(torch.load('m.pt'))",
    "another model": TRAIN + "\nmodel = nn.Linear(8, 1024)",
    "no step": "F.cross_entropy(model(x), y).backward()",
    "copy trained": "student = copy.deepcopy(model)\no = torch.optim.SGD(student.parameters(), lr=1)\n"
    "F.cross_entropy(student(x), y).backward()\no.step()",
}  # fmt: skip


@pytest.mark.parametrize("way", CARRIED)
def test_what_a_state_has_seen_goes_where_it_goes(way: str) -> None:
    assert seen(f"{TRAIN}\n{CARRIED[way]}\n{SCORE}")
    assert not seen(f"{CARRIED[way]}\n{SCORE}")


@pytest.mark.parametrize("way", CLEAN)
def test_what_is_put_back_or_thrown_away_is_not_seen(way: str) -> None:
    assert not seen(f"{CLEAN[way]}\n{SCORE}")


UPDATES = {
    "optimizer": "optimizer.step()",
    "by hand": "for p in model.parameters():\n    p.data -= 0.1 * p.grad",
    "by add_": "for p in model.parameters():\n    p.data.add_(p.grad, alpha=-0.1)",
    "under no_grad": "with torch.no_grad():\n    for p in model.parameters():\n        p.sub_(0.1 * p.grad)",
    "holder": "class All:\n    def __init__(self, *o):\n        self.o = o\n    def step(self):\n        for o in self.o:\n            o.step()\nAll(optimizer).step()",
    "method as a value": "step = optimizer.step\nstep()",
    "closure": "def make():\n    def act():\n        optimizer.step()\n    return act\nmake()()",
    "partial": "functools.partial(lambda o: o.step(), optimizer)()",
}


@pytest.mark.parametrize("way", UPDATES)
def test_every_way_of_a_step_is_a_step(way: str) -> None:
    assert seen(f"loss = F.cross_entropy(model(x), y)\nloss.backward()\n{UPDATES[way]}\n{SCORE}") == {"gradient"}


@pytest.mark.parametrize("given", ["again", "closure=again", "lambda: again()"])
def test_a_closure_that_a_step_is_given_is_called(given: str) -> None:
    again = "def again():\n    loss = F.cross_entropy(model(x), y)\n    loss.backward()\n    return loss"
    assert seen(f"{again}\noptimizer.step({given})\n{SCORE}") == {"gradient"}
    assert not seen(f"{again}\n{SCORE}")


def test_a_step_along_derivatives_is_a_step() -> None:
    step = (
        "for p, g in zip(model.parameters(), torch.autograd.grad(loss, list(model.parameters()))):\n    p.data.add_(g, alpha=-0.1)"
    )
    assert seen(f"loss = F.cross_entropy(model(x), y)\n{step}\n{SCORE}") == {"gradient"}
    assert seen(f"model.weight.data.copy_(x)\n{SCORE}") == {"write"}


REPORTS = {
    "print": "print(f'final val_bpb:{loss.item():.8f}')",
    "percent": "print('final val_bpb:%.8f' % loss.item())",
    "format": "print('final val_bpb:{:.8f}'.format(loss.item()))",
    "log function": "def log0(msg, console=True):\n    if console:\n        print(msg)\nlog0(f'final val_bpb:{loss.item():.8f}')",
    "file": "with open('log.txt', 'a') as f:\n    f.write(f'final val_bpb:{loss.item():.8f}\\n')",
    "stdout": "import sys\nsys.stdout.write(f'final val_bpb:{loss.item():.8f}\\n')",
    "logging": "import logging\nlogging.info(f'final val_bpb:{loss.item():.8f}')",
    "lambda": "log0 = lambda s: print(s, flush=True)\nlog0(f'final val_bpb:{loss.item():.8f}')",
}


@pytest.mark.parametrize("way", REPORTS)
def test_every_way_to_print_is_a_report(way: str) -> None:
    claim = ran(f"loss = F.cross_entropy(model(x), y)\n{REPORTS[way]}").claim
    assert claim is not None
    assert claim.text.strip() == "final val_bpb:{}" and len(claim.scores) == 1


def test_a_text_without_a_score_is_no_report() -> None:
    assert ran("print(f'final val_bpb:{1.07:.8f} {x.shape[0]} {optimizer}')").reports == ()


def conditional(condition: str, **changes: object) -> Event | None:
    return runs(f"if {condition}:\n    {TRAIN}\n{SCORE}", **changes)[0].claim


def test_a_known_condition_is_decided() -> None:
    for condition, trained in (("1 > 2", False), ("1 < 2", True), ("os.environ.get('TTT', '0') == '1'", False)):
        claim = conditional(condition)
        assert claim is not None and bool(claim.scores[0].seen) is trained


def test_an_unknown_condition_goes_both_ways() -> None:
    claim = conditional("torch.rand(()).item() > 0.5")
    assert claim is not None and {update.text for update in claim.scores[0].seen} == {"gradient"}


def test_a_command_switches_what_the_default_leaves_off() -> None:
    command = Command(Location("README.md", 3), "train_gpt.py", environment={"TTT": "1"})
    shown, default = runs(f"if os.environ.get('TTT', '0') == '1':\n    {TRAIN}\n{SCORE}", commands=(command,))
    assert shown.claim is not None and shown.claim.scores[0].seen and shown.source == "README.md"
    assert default.claim is not None and not default.claim.scores[0].seen and default.ceiling is Severity.REVIEW


def test_a_printed_configuration_replaces_the_default_of_its_type() -> None:
    source = f"class H:\n    epochs = 0\nif H.epochs > 0:\n    {TRAIN}\n{SCORE}"
    assert runs(source)[0].claim.scores[0].seen == ()  # type: ignore[union-attr]
    printed = log("train.log", run(config={"epochs": "2"}))
    assert runs(source, logs=(printed,))[0].claim.scores[0].seen  # type: ignore[union-attr]


LOOPS = {
    "for i in range(0)": 0, "for i in range(1)": 1, "for i in range(2)": 2, "for i in (1, 2, 3)": 3, "for i in [7]": 1,
    "for a, b in zip([1, 2], [3, 4])": 2, "for i, a in enumerate('ab')": 2, "for k in {1: 2}": 1,
}  # fmt: skip


@pytest.mark.parametrize("head", LOOPS)
def test_few_known_iterations_are_run_one_by_one(head: str) -> None:
    found = ran(f"total = 0\n{head}:\n    total += F.cross_entropy(model(x), y)\nprint(f'final val_bpb:{{total}}')")
    assert len(found.scores) == LOOPS[head]
    assert len({score.loop for score in found.scores}) == LOOPS[head]


def test_many_iterations_are_run_as_the_first_and_a_later_one() -> None:
    found = ran("for i in range(1000):\n    F.cross_entropy(model(x[i * 8 : i * 8 + 8]), y[i * 8 : i * 8 + 8])")
    first, later = found.scores
    assert not any(a.overlaps(b) for a in first.regions for b in later.regions)


def test_the_last_iteration_is_run_apart_where_it_is_named() -> None:
    found = ran(
        "n = 40\nfor i in range(n):\n    loss = F.cross_entropy(model(x), y)\n    if i == n - 1:\n        kept = loss\nprint(f'final val_bpb:{kept}')"
    )
    assert found.claim is not None
    assert {score.loop[-1][1] for score in found.claim.scores} == {2} and len(found.scores) == 3


def test_where_several_scores_of_the_same_tokens_are_compared() -> None:
    found = ran(
        "a, b = F.cross_entropy(model(x), y), F.cross_entropy(model(x) * 2, y)\nprint(f'final val_bpb:{torch.minimum(a, b)}')"
    )
    assert found.claim is not None and [place.line for place in found.claim.best_of] == [LINES + 2]


def test_calls_are_told_with_the_update() -> None:
    score = score_of(f"def inner():\n    {TRAIN}\ndef outer():\n    inner()\nouter()\n{SCORE}")
    assert [step.message for step in score.seen[-1].through] == ["calls outer()", "calls inner()"]


def test_endless_recursion_ends() -> None:
    assert ran(f"def f(n):\n    return f(n + 1)\nf(0)\n{SCORE}").claim is not None


def test_objects_that_hold_each_other_are_followed() -> None:
    ring = "class Node:\n    pass\na, b = Node(), Node()\na.other, b.other = b, a\nb.tensor = torch.ones(3)\nprint(a)"
    assert ran(f"{ring}\n{SCORE}").claim is not None


def test_a_loop_without_an_end_ends() -> None:
    assert ran(f"while True:\n    if torch.rand(()) > 0.5:\n        break\n{SCORE}").claim is not None


def test_a_run_leaves_the_limit_of_recursion_as_it_was() -> None:
    before = sys.getrecursionlimit()
    ran(SCORE)
    assert sys.getrecursionlimit() == before


@given(programs())
@settings(deadline=None)
def test_any_program_is_run_the_same_way_twice(text: str) -> None:
    assert runs(text, head="") == runs(text, head="")


MODES = """
class Block(nn.Module):
    def forward(self, x):
        return x[:, ::-1] if self.training else x


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.block, self.out = Block(), nn.Linear(8, 1024)

    def forward(self, x, y):
        if self.block.training:
            F.cross_entropy(self.out(x), y).backward()
            torch.optim.SGD(self.parameters(), lr=0.1).step()
        return F.cross_entropy(self.out(self.block(x)), y)


net = Net()
"""


@pytest.mark.parametrize(
    ("mode", "trains"), [("eval()", False), ("train(False)", False), ("train()", True), ("requires_grad_()", True)]
)
def test_the_mode_of_a_module_is_that_of_its_parts(mode: str, trains: bool) -> None:
    claim = ran(f"{MODES}net.{mode}\nprint(f'final val_bpb:{{net(x, y)}}')").claim
    assert claim is not None and bool(claim.scores[-1].seen) is trains


def test_a_mode_that_is_not_known_is_both() -> None:
    claim = ran(f"{MODES}net.train(bool(torch.rand(()) > 0.5))\nprint(f'final val_bpb:{{net(x, y)}}')").claim
    assert claim is not None and claim.scores[-1].seen
