"""What the token being scored does to a score beside picking an entry of a distribution."""

from __future__ import annotations

import pytest
from submissions import facts, submission

from pgolf_check.model import Status
from pgolf_check.rules.mixture import decide
from pgolf_check.static.engine import analyse
from pgolf_check.submission.model import Script

PROGRAM = """
import math
import numpy as np
import torch
import torch.nn.functional as F

MASK = (1 << 20) - 1
{helpers}

def main():
    tokens = torch.from_numpy(np.fromfile("fineweb_val_000000.bin", dtype=np.uint16)).long()
    stream = tokens.numpy()
    model = torch.nn.Linear(8, 1024)
    pairs, contexts = np.zeros(MASK + 1), np.zeros(MASK + 1)
    rows = torch.zeros(4096, 1024)
    base = torch.arange(1024)
    pieces = [bytes(range(1 + token % 4)) for token in range(1024)]
    seen = {{}}
    total = 0.0
    for start in range(0, len(tokens) - 1024, 1024):
        chunk = tokens[start : start + 1025]
        x, y = chunk[:-1], chunk[1:]
        logits = model(x)
        own = torch.log_softmax(logits, -1).gather(-1, y[:, None]).squeeze(-1).exp().numpy()
{body}
        total += float(loss.sum())
    print(f"final val_bpb:{{total:.8f}}")

main()
"""
LOSS = "        loss = -np.log(0.7 * own + 0.3 * other)\n"
KEY = "        key = ((x * 36313) ^ (y * 27191)).numpy() & MASK\n"
UPDATE = "        np.add.at(pairs, key, 1)\n"
POSITIONS = "        at = np.arange(start + 1, start + 1025)\n"
HELPER = """
def key_at(stream, at):
    value = np.zeros(len(at), dtype=np.int64)
    for back in range(3, 0, -1):
        value ^= stream[at - back] * 36313
    return (value ^ stream[at] * 27191) & MASK
"""
CONTEXT_HELPER = HELPER.replace(" ^ stream[at] * 27191", "")

KEYED = {
    "inline": KEY + "        other = pairs[key]\n" + LOSS + UPDATE,
    "without an update": KEY + "        other = pairs[key]\n" + LOSS,
    "written into a buffer": KEY
    + "        other = np.zeros(1024)\n        other[own < 0.5] = pairs[key][own < 0.5]\n"
    + LOSS
    + UPDATE,
    "taken": KEY + "        other = np.take(pairs, key)\n" + LOSS + UPDATE,
    "in a tensor": KEY + "        other = torch.from_numpy(pairs).gather(0, torch.from_numpy(key)).numpy()\n" + LOSS + UPDATE,
    "as a posterior": KEY + "        loss = -np.log((pairs[key] + 2 * own) / (contexts[x.numpy() & MASK] + 2))\n" + UPDATE,
    "as a bonus": KEY + "        loss = -(np.log(own) + np.log1p(pairs[key]))\n" + UPDATE,
    "in place": "        key = np.zeros(1024, dtype=np.int64)\n        key ^= x.numpy() * 36313\n        key ^= y.numpy() * 27191\n"
    "        key &= MASK\n        other = pairs[key]\n" + LOSS + UPDATE,
    "as a remainder": KEY.replace("& MASK", "% (MASK + 1)").replace("^", "+") + "        other = pairs[key]\n" + LOSS + UPDATE,
    "by functions": "        key = np.bitwise_and(np.bitwise_xor(x.numpy() * 36313, y.numpy()), MASK)\n        other = pairs[key]\n"
    + LOSS,
    "from positions": POSITIONS + "        key = key_at(stream, at)\n        other = pairs[key]\n" + LOSS + UPDATE,
    "in a dictionary": "        loss = np.zeros(1024)\n        for i in range(1024):\n            slot = hash((int(x[i]), int(y[i]))) % MASK\n"
    "            loss[i] = -math.log(own[i] + seen.get(slot, 0))\n            seen[slot] = seen.get(slot, 0) + 1\n",
}
STACK = "        odds = torch.softmax(logits, -1)\n        chaos = -(odds * odds.log()).sum(-1)\n"
TERMS = "        scores = odds.log().gather(-1, y[:, None]).squeeze(-1)\n        terms = torch.stack([scores, {other}])\n"
EXPERTS = {
    "logsumexp": STACK + TERMS.format(other="chaos") + "        loss = -torch.logsumexp(terms - 0.7, 0)\n",
    "log of a sum": STACK + TERMS.format(other="chaos") + "        loss = -(terms.exp() * 0.5).sum(0).log()\n",
}
BYTES = {
    "divided": "        size = base[y]\n        loss = -torch.log(torch.exp(torch.from_numpy(np.log(own)) / size) + 0.1)\n",
    "repeated": "        size = base.numpy()[y.numpy()]\n        each = np.repeat(np.log(own), size) / np.repeat(size, size)\n"
    "        loss = -np.logaddexp(each, -3.0)\n",
    "counts of bytes": "        loss = np.zeros(1024)\n        for i in range(1024):\n            for byte in pieces[int(y[i])]:\n"
    "                loss[i] -= math.log(own[i] + seen.get(byte, 0))\n                seen[byte] = seen.get(byte, 0) + 1\n",
}
EXACT = {
    "a pair": "        loss = np.zeros(1024)\n        for before, after, p in zip(x.tolist(), y.tolist(), own):\n"
    "            loss[0] -= math.log(p + seen.get((before, after), 0))\n"
    "            seen[before, after] = seen.get((before, after), 0) + 1\n",
    "an entry": "        loss = -np.log(own + rows[x, y].numpy())\n        rows[x, y] += 1\n",
}
LEGAL = {
    "experts that are all scores": STACK
    + TERMS.format(other="rows.log()[0][y]")
    + "        loss = -torch.logsumexp(terms, 0)\n        rows[0, y] += 1\n",
    "scores beside an entropy that is printed": STACK + TERMS.format(other="chaos") + "        loss = -terms[0]\n",
    "rows, then the target": "        counts = rows[(x * 36313) % 4096] + 0.01\n        mixed = torch.softmax(logits, -1) + counts / counts.sum(-1, keepdim=True)\n"
    "        loss = -mixed.log().gather(-1, y[:, None]).squeeze(-1)\n"
    "        rows.view(-1).scatter_add_(0, (x * 36313) % 4096 * 1024 + y, torch.ones(1024))\n",
    "the update alone": KEY + "        loss = -np.log(own)\n" + UPDATE,
    "the update as an assignment": KEY
    + "        loss = -np.log(own)\n        pairs[key] = pairs[key] + 1\n        loss = loss + pairs.sum() * 0\n",
    "a weight that the context chose": POSITIONS + "        weight = contexts[key_at(stream, at)] / 100\n"
    "        loss = -np.log(own * weight + (1 - weight) / 1024)\n        np.add.at(contexts, key_at(stream, at), 1)\n",
    "bytes of the target": "        loss = -np.log(own)\n        size = base[y]\n        loss = np.exp(loss.sum() / size.sum())\n",
    "bytes, counted one by one": "        count = 0\n        for token in y.tolist():\n            count += pieces[token][0]\n        loss = np.exp(-np.log(own) / count)\n",
}


def rules_of(body: str, helpers: str) -> set[str]:
    text = PROGRAM.format(body=body, helpers=helpers)
    judged = submission(scripts={"train_gpt.py": Script("train_gpt.py", len(text), text)}, logs=())
    known = facts(judged, static=analyse(judged))
    answers = [decide(known, rule) for rule in ("C102", "C201", "C202", "C203")]
    assert {answer.status for answer in answers} <= {Status.PASS, Status.FAIL}, known.static
    return {answer.rule for answer in answers if answer.status is Status.FAIL}


@pytest.mark.parametrize("form", KEYED)
def test_a_table_read_at_a_hash_of_the_target_is_found(form: str) -> None:
    assert rules_of(KEYED[form], HELPER) == {"C201"}


@pytest.mark.parametrize("form", EXPERTS)
def test_a_term_that_is_no_probability_of_the_target_is_found(form: str) -> None:
    assert rules_of(EXPERTS[form], "") == {"C201"}


@pytest.mark.parametrize("form", BYTES)
def test_a_score_that_meets_the_bytes_of_its_token_is_found(form: str) -> None:
    assert rules_of(BYTES[form], "") == {"C203"}


@pytest.mark.parametrize("form", EXACT)
def test_exact_counts_of_the_target_alone_are_found(form: str) -> None:
    assert rules_of(EXACT[form], "") == {"C202"}


@pytest.mark.parametrize("form", LEGAL)
def test_what_does_not_depend_on_the_target_passes(form: str) -> None:
    assert rules_of(LEGAL[form], CONTEXT_HELPER) == set()
