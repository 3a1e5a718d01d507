"""Which part of a stream a value stands for: chosen by loops, through positions, tables of positions and slices."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from submissions import facts, submission

from pgolf_check.model import Region
from pgolf_check.rules.order import breaches
from pgolf_check.static.engine import analyse
from pgolf_check.submission.model import Script

PROGRAM = """
import numpy as np
import torch
import torch.nn.functional as F

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(8, 1024)

    def forward(self, x, y):
        return F.cross_entropy(self.head(x), y, reduction="none")

def documents(tokens, bos):
    starts = (tokens == bos).nonzero()[0]
    return [(int(starts[i]), int(starts[i + 1]) - int(starts[i])) for i in range(len(starts) - 1)]

def main():
    tokens = torch.from_numpy(np.fromfile("fineweb_val_000000.bin", dtype=np.uint16)).long()
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    total = torch.zeros(())

    def train(x, y, weight=1.0):
        optimizer.zero_grad()
        (model(x, y) * weight).sum().backward()
        optimizer.step()

{body}
    print(f"final val_bpb:{{total.item():.8f}}")

main()
"""

DOCUMENTS = """
    docs = documents(tokens, 1)
    for first in range(0, len(docs), 8):
        batch = docs[first : first + 8]
        lengths = torch.tensor([n for _, n in batch])
        starts = torch.zeros(8, dtype=torch.int64)
        for row in range(len(batch)):
            starts[row] = batch[row][0]
        places = starts.unsqueeze(1) + torch.arange(64)
        rows = tokens[places]
        x, y = rows[:, :-1], rows[:, 1:]
        total += model(x, y).sum()
        train(x, y, (lengths > 2).float())
"""
CHUNKS = """
    for chunk in range(16):
        begin, end = chunk * 64, (chunk + 1) * 64
        x, y = tokens[begin:end], tokens[begin + 1 : end + 1]
        total += model(x, y).sum()
        {trained}
"""
EARLIER = CHUNKS.replace("{trained}", "train(tokens[:end], tokens[1 : end + 1])")
LATER = CHUNKS.replace("{trained}", "train(tokens[begin:], tokens[begin + 1 :])")
WITHIN = """
    for chunk in range(16):
        part = tokens[chunk * 64 : chunk * 64 + 65]
        for step in range(2):
            x, y = part[: 32 + chunk], part[1 : 33 + chunk]
            if step == 0:
                total += model(x, y).sum()
            train(x, y)
"""
SHIFTED = DOCUMENTS.replace("starts[row] = batch[row][0]", "starts[row] = first_free()").replace(
    "    docs =", "    first_free = lambda: len(tokens) - 64 * int(torch.rand(()))\n    docs =", 1
)


def rules(body: str, program: str = PROGRAM) -> set[str]:
    text = program.format(body=body)
    entry = "train_gpt.py"
    judged = submission(scripts={entry: Script(entry, len(text), text)}, entry=entry)
    return {b.rule for b in breaches(facts(judged, static=analyse(judged)))}


@pytest.mark.parametrize("body", [DOCUMENTS, EARLIER, WITHIN], ids=["documents", "earlier", "within"])
def test_scored_first(body: str) -> None:
    assert rules(body) == set()


@pytest.mark.parametrize("body", [LATER, SHIFTED], ids=["later", "shifted"])
def test_trained_on_what_is_scored_later(body: str) -> None:
    assert rules(body)


MODEL = """
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(8, 1024)
        self.counts = torch.zeros(1024)

    def forward(self, x, y):
        logits = self.head(x)
        counts = {counts}
        counts.scatter_add_(-1, x, torch.ones(1))
        return F.cross_entropy(logits + counts, y, reduction="none")
"""
PLAIN_PASS = "    total += model(tokens[:-1], tokens[1:]).sum()"


@pytest.mark.parametrize(
    ("counts", "found"), [("torch.zeros_like(logits)", set()), ("logits.new_zeros(1024)", set()), ("self.counts", {"C301"})]
)
def test_a_table_of_one_forward_pass_is_no_state(counts: str, found: set[str]) -> None:
    start, end = PROGRAM.index("class Net"), PROGRAM.index("def documents")
    program = PROGRAM[:start] + MODEL.format(counts=counts).replace("{", "{{").replace("}", "}}") + "\n" + PROGRAM[end:]
    assert rules(PLAIN_PASS, program) == found


COUNTED = """
    position = 0
    while position < len(tokens) - 65:
        x, y = tokens[position : position + 64], tokens[position + 1 : position + 65]
        total += model(x, y).sum()
        train(x, y)
        position += 64
"""
QUEUE = """
    windows = [(begin, begin + 64) for begin in range(0, len(tokens) - 65, 64)]
    next_window = 0
    for chunk in range(16):
        chosen = []
        while next_window < len(windows) and windows[next_window][0] < (chunk + 1) * 1024:
            chosen.append(windows[next_window])
            next_window += 1
        for begin, end in chosen:
            total += model(tokens[begin:end], tokens[begin + 1 : end + 1]).sum()
        for begin, end in chosen:
            train(tokens[begin:end], tokens[begin + 1 : end + 1])
"""
TWICE = QUEUE + QUEUE.replace("train(", "str(")


@pytest.mark.parametrize(
    ("body", "found"), [(COUNTED, set()), (QUEUE, set()), (TWICE, {"C402"})], ids=["counted", "queue", "twice"]
)
def test_a_number_that_is_counted_on_chooses_as_a_loop_variable_does(body: str, found: set[str]) -> None:
    assert rules(body) == found


HISTOGRAM = """
    counts = torch.zeros(1024)
    for chunk in range(16):
        places = np.arange(chunk * 64, chunk * 64 + 64)
        x, y = tokens[places], tokens[places + 1]
        logits = model.head(x) + counts
        total += F.cross_entropy(logits, y, reduction="none").sum()
        counts += torch.bincount({counted}, minlength=1024)
"""


@pytest.mark.parametrize(("counted", "found"), [("y", set()), ("tokens", {"C301"})])
def test_a_histogram_is_a_table(counted: str, found: set[str]) -> None:
    assert bool(rules(HISTOGRAM.format(counted=counted))) == bool(found)


FUSED = """
    from liger_kernel.ops.fused_linear_cross_entropy import LigerFusedLinearCrossEntropyFunction
    x, y = tokens[:-1], tokens[1:]
    train(x, y)
    total += LigerFusedLinearCrossEntropyFunction.apply(x, model.head.weight, y, None, 0, 0, 0.0, True, "mean")
"""


def test_a_fused_loss_is_a_score() -> None:
    assert rules(FUSED) == {"D101"}


fixed = st.frozensets(st.tuples(st.integers(1, 3), st.integers(0, 2)), max_size=3)
regions = st.builds(Region, st.sampled_from(["val", "train"]), fixed, st.none() | st.frozensets(st.integers(0, 4)))


@given(regions, regions, regions)
@example(
    Region("val", frozenset({(1, 0)}), frozenset({0})),
    Region("val", frozenset({(1, 0)})),
    Region("val", frozenset({(1, 1)}), frozenset({0})),
)
@example(Region("val", frozenset({(1, 0), (1, 1)})), Region("val", frozenset({(1, 0)})), Region("val", frozenset({(1, 1)})))
def test_what_overlaps_a_part_overlaps_the_whole(part: Region, whole: Region, other: Region) -> None:
    if part.inside(whole) and part.overlaps(other):
        assert whole.overlaps(other)


@given(regions, fixed)
def test_what_loops_select_lies_inside(region: Region, iterations: frozenset[tuple[int, int]]) -> None:
    assert region.within(iterations).inside(region)


OFFSETS = """
    all_ids = torch.arange(tokens.numel())
    for index in range(4):
        reach = (index + 1) * 256
        start = index * 4096
        places = start + all_ids[:reach]
        chunk = tokens[places]
        x, y = chunk[:-1], chunk[1:]
        total += model(x, y).sum()
        train(x, y)
"""


def test_an_offset_that_reaches_back_stays_in_the_chunk_that_it_is_added_to() -> None:
    assert rules(OFFSETS) == set()
