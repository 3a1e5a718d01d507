"""Assertions for anyone's evaluation code: is a score causal, normalised, taken before the update, and counted once?

A scorer is `score(tokens) -> losses`: for a stream of token numbers the loss in nats of every token from `context` on, in the order
of the stream. Loss number j is -ln p(tokens[context + j]), with p fixed by the artifact and tokens[:context + j] alone; the first
`context` tokens (0 unless told) are only read. Each call is a run of its own that starts from the artifact. Every assertion raises
AssertionError with one sentence and the example. The hypothesis strategies that find and shrink examples are in `.strategies`.

Nothing raised is no proof: an assertion speaks of the streams that it was given.
"""

from pgolf_check.testing.causal import assert_causal, assert_documents_independent
from pgolf_check.testing.entropy import canary_evidence
from pgolf_check.testing.normalized import assert_normalized
from pgolf_check.testing.order import Recorder, assert_score_first, assert_single_pass
from pgolf_check.testing.scorer import Scorer

__all__ = [
    "Recorder",
    "Scorer",
    "assert_causal",
    "assert_documents_independent",
    "assert_normalized",
    "assert_score_first",
    "assert_single_pass",
    "canary_evidence",
]
