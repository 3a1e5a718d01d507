"""What library calls do with validation tokens: which carry them into a state, which do not, and which lose a state's past."""

from __future__ import annotations

import pytest
from abstract_runs import ran, runs

CARRYING = """
x + 1 | -x | x @ x.T | x ** 2 | x / 3 | x == 3 | x[3:5] | x[..., None] | x[torch.randperm(8)] | x.view(-1) | x.to(torch.float32)
x.cuda(non_blocking=True) | x.sum() | x.float().mean(dim=0) | x.clone().detach() | x.numpy() | x.tolist() | x.item() | int(x[0])
float(x.sum()) | list(x) | tuple(x) | sum(x) | max(x) | sorted(x) | {1: x}[1] | [x, 0][0] | (x,)[-1] | [t for t in x] | {t: 1 for t in x}.get(3)
torch.cat([x, y]) | torch.stack((x, y)) | torch.where(x > 3, 1, 2) | torch.bincount(x, minlength=1024) | torch.histc(x.float()) | torch.unique(x)
torch.tensor(x.tolist()) | torch.as_tensor(np.asarray(x)) | np.concatenate([x.numpy(), y.numpy()]) | np.log(x.numpy()) | torch.topk(x, 3)
torch.topk(x, 3)[1] | F.one_hot(x, 1024) | F.softmax(x.float(), -1) | F.pad(x, (1, 1)) | x.chunk(2)[0] | x.split(5)[1] | x.unbind(0)[0]
torch.einsum("i,i->", x, x) | np.fromfile("fineweb_val_000000.bin", dtype=np.uint16) | np.memmap("fineweb_val_000001.bin", dtype=np.uint16)
(lambda v: v * 2)(x) | functools.partial(torch.add, x)(1) | copy.deepcopy(x) | functools.reduce(torch.add, [x, x]) | list(map(int, x))[0]
list(zip(x, y))[0][1] | next(iter(x)) | list(filter(None, x))[0] | dict(a=x)["a"] | nn.Embedding(8, 8)(x) | x if len(x) else y
torch.load("kept.pt") if torch.save(x, "kept.pt") is None else 0 | x.cumsum(0) | x.masked_fill(x > 3, 0) | x.gather(0, torch.arange(3))
torch.zeros(8).scatter_add_(0, x, torch.ones(8)) | x.unfold(0, 4, 1) | torch.autograd.grad(F.cross_entropy(model(x), y), model.weight)[0]
"""
NOT_CARRYING = """
torch.zeros_like(x) | torch.empty_like(x) | torch.ones(x.shape) | torch.randn(x.size(0)) | len(x) | x.numel() | x.shape[0] | x.size()
x.device | x.dtype | torch.arange(len(x)) | torch.randperm(x.numel()) | 3 | [1, 2][0] | np.fromfile("fineweb_train_000000.bin", dtype=np.uint16)
torch.full((3,), 0.5) | x.new_zeros(3) if False else 0 | isinstance(x, torch.Tensor) | torch.is_tensor(x) | id(model)
"""


def expressions(block: str) -> list[str]:
    return [part.strip() for line in block.strip().splitlines() for part in line.split(" | ")]


def carried(expression: str) -> set[str]:
    """The streams that reach a weight to which the value of an expression is copied before the score."""
    source = (
        f"value = {expression}\nmodel.weight.data.copy_(torch.as_tensor(value))\nprint(f'val_bpb:{{F.cross_entropy(model(x), y)}}')"
    )
    claim = ran(source).claim
    assert claim is not None
    return {region.stream for update in claim.scores[0].seen for region in update.regions}


@pytest.mark.parametrize("expression", expressions(CARRYING))
def test_content_goes_with_the_value(expression: str) -> None:
    assert carried(expression) == {"val"}


@pytest.mark.parametrize("expression", expressions(NOT_CARRYING))
def test_shapes_and_new_tensors_hold_no_content(expression: str) -> None:
    assert carried(expression) == set()


WRITES = """
model.weight.data.add_(x) ; model.weight.data[0] = x[0] ; model.weight.data = x ; model.weight.data += x ; model.weight = nn.Parameter(x)
model.weight.data.copy_(x) ; torch.add(model.weight, x, out=model.weight.data) ; model.weight.data.scatter_(0, torch.arange(3), x)
model.weight.data.view(-1)[:3] = x[:3] ; model.bias.data.lerp_(x, 0.1) ; model.load_state_dict({"weight": x}) ; setattr(model, "weight", nn.Parameter(x))
[p.data.add_(x) for p in model.parameters()] ; model.weight.data.addcmul_(x, x) ; model.weight.data.fill_(x.float().mean())
model.weight.data.index_copy_(0, torch.arange(3), x) ; model._parameters["weight"].data.add_(x) ; dict(model.named_parameters())["weight"].data.sub_(x)
nn.init.constant_(model.bias, x[0].item()) ; model.state_dict()["weight"].add_(x) ; next(model.parameters()).data.mul_(x)
"""


@pytest.mark.parametrize("write", [part.strip() for line in WRITES.strip().splitlines() for part in line.split(" ; ")])
def test_every_way_to_write_a_weight_is_an_update(write: str) -> None:
    claim = ran(f"{write}\nprint(f'val_bpb:{{F.cross_entropy(model(x), y)}}')").claim
    assert claim is not None and any(update.regions for update in claim.scores[0].seen)


SCORES = {
    "cross entropy": "F.cross_entropy(logits, y)",
    "module": "nn.CrossEntropyLoss()(logits, y)",
    "module without reduction": "nn.CrossEntropyLoss(reduction='none')(logits.flatten(0, 1), y.flatten()).sum()",
    "nll": "F.nll_loss(F.log_softmax(logits, -1), y)",
    "gather": "-torch.log_softmax(logits, -1).gather(-1, y[:, None]).mean()",
    "index": "-torch.log_softmax(logits, -1)[torch.arange(len(y)), y].mean()",
    "take along axis": "-np.take_along_axis(np.log(torch.softmax(logits, -1).numpy()), y.numpy()[:, None], 1).mean()",
    "logarithm of a probability": "-torch.softmax(logits, -1).gather(-1, y[:, None]).log().mean()",
}


@pytest.mark.parametrize("form", SCORES)
def test_every_form_of_the_loss_is_a_score(form: str) -> None:
    claim = ran(f"logits = model(x)\nprint(f'final val_bpb:{{{SCORES[form]}}}')").claim
    assert claim is not None and [region.stream for region in claim.scores[-1].regions] == ["val"]


UNFOLLOWED = {
    "unknown library": "import fastbpb\nprint(fastbpb.score(model, x))",
    "another process": "import subprocess\nsubprocess.run(['./score'], input=x.numpy().tobytes())",
    "computed name": "getattr(model, os.environ['NAME'])(x)",
}


@pytest.mark.parametrize("way", UNFOLLOWED)
def test_what_cannot_be_followed_is_told(way: str) -> None:
    (found,) = runs(UNFOLLOWED[way])
    assert found.unfollowed


def test_an_unknown_library_without_a_state_or_without_tokens_is_pure() -> None:
    assert ran("import fastbpb\nfastbpb.log(x)\nfastbpb.watch(model)").unfollowed == ()


def test_an_object_may_hold_a_method_of_itself() -> None:
    """What flowed into it is found all the same, and found in the end."""
    run = ran(
        """
        class Keeper:
            pass
        keeper = Keeper()
        keeper.step = optimizer.step
        optimizer.keeper = keeper
        loss = F.cross_entropy(model(x), y)
        print(f"final val_bpb:{loss.item():.6f} by {keeper.step} of {optimizer}")
        """
    )
    assert run.claim is not None
