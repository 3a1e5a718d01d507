"""Settings of test-time training that no configuration can have, because the challenge refuses what they do.

The names are those of public scripts and of plain speech; the error tells the rule, and what may be done instead.
"""

from pgolf_ref.errors import UserError

BEFORE = (
    "rule C301 (update-before-score): validation tokens train nothing before they are scored; each chunk is scored, then trained on"
)
LAST = "rule C302 (last-epoch-score): the score of a token is that of its first visit; ttt.epochs counts epochs after it"
BEST = "rule C401 (best-of-scores): the lower of several scores of a token cannot be kept"
AGAIN = "rule C402 (rescoring-pass): a token that a state has seen is not scored again"

REFUSED = {
    **dict.fromkeys(("pre_scoring", "before_score", "before_scoring", "train_first", "pre_quant", "pre_eval"), BEFORE),
    **dict.fromkeys(("prequant_ttt_enabled", "prequant_ttt_epochs", "prequant", "bake_in", "adapt_first"), BEFORE),
    **dict.fromkeys(("score_epoch", "scored_epoch", "report_epoch", "last_epoch", "score_last", "score_after"), LAST),
    **dict.fromkeys(("min_nll", "ttt_min_nll", "best_of", "best_epoch"), BEST),
    **dict.fromkeys(("passes", "ttt_passes", "rescore", "two_pass"), AGAIN),
}


def refuse_illegal(name: str) -> None:
    """UserError for the name of an unknown setting that asks for one of them."""
    table, _, last = name.rpartition(".")
    if table.partition(".")[0] in ("ttt", "evaluate") and (reason := REFUSED.get(last.lower())):
        raise UserError(f"{name} cannot be set, by {reason}")
