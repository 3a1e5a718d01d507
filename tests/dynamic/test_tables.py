"""The probe of tables: a cache that is keyed by the target beats random tokens where its buckets collide; one that is a distribution does not."""

from __future__ import annotations

from uncontained import run

from pgolf_check.dynamic.harness import trial
from pgolf_check.dynamic.harness.configuration import STREAM, Probe, colliding, first_configuration, for_probe, on_stream

CACHE = """
import os
from pathlib import Path
import numpy as np

vocab, orders, buckets = int(os.environ["VOCAB_SIZE"]), (1, 2, 3, 4), 1 << 22
primes = [36313, 27191, 51647, 81929, 131071]
folder = Path(os.environ["DATA_PATH"])
train, val = (np.fromfile(folder / f"fineweb_{split}_000000.bin", dtype="<u2", offset=1024).astype(np.int64) for split in ("train", "val"))
known = np.bincount(train, minlength=vocab) / len(train)  # what a trained model knows of the symbols


def key(context, target):
    hashed = 0
    for token, prime in zip((*context, target), primes):
        hashed ^= int(token) * prime
    return hashed % buckets


contexts, pairs, losses = {}, {}, []
for i in range(1, len(val)):
    p = max(known[val[i]], 1e-6)
    keys = [(tuple(val[max(i - order, 0) : i]), order) for order in orders if i >= order]
    for context, order in reversed(keys):
        seen, hits = COUNTS
        if seen >= 2:
            p = 0.7 * p + 0.3 * min(hits, seen) / seen
            break
    losses.append(-np.log(p))
    for context, order in keys:
        UPDATE
mean = float(np.mean(losses))
print(f"final_int8_zlib_roundtrip_exact val_loss:{mean:.8f} val_bpb:{mean / 3:.8f}", flush=True)
"""
HASHED = CACHE.replace("COUNTS", "contexts.get((order, key(context, 0)), 0), pairs.get((order, key(context, val[i])), 0)").replace(
    "UPDATE",
    "contexts[order, key(context, 0)] = contexts.get((order, key(context, 0)), 0) + 1\n"
    "        pairs[order, key(context, val[i])] = pairs.get((order, key(context, val[i])), 0) + 1",
)
EXACT = CACHE.replace("COUNTS", "contexts.get(context, 0), pairs.get((context, val[i]), 0)").replace(
    "UPDATE",
    "contexts[context] = contexts.get(context, 0) + 1\n        pairs[context, val[i]] = pairs.get((context, val[i]), 0) + 1",
)


def probed(script: str) -> trial.Trial:
    first = for_probe(on_stream(first_configuration(Probe.TABLES), colliding(STREAM, settable=True)), Probe.TABLES)
    return trial.try_script("train_gpt.py", {"train_gpt.py": script.encode()}, Probe.TABLES, run, first)


def test_buckets_that_collide_convict_and_counts_that_are_exact_do_not() -> None:
    hashed, exact = probed(HASHED).evidence, probed(EXACT).evidence
    assert hashed is not None and hashed.convicts()
    assert exact is not None and exact.log_e < 0
