"""Techniques that the sources name without a description: nothing to implement, and nothing to guess."""

from pgolf_ref.errors import UserError

NAMES = ("semantic_attention", "dual_word_attention", "pooled_retrieval", "newSota")


def refuse_unspecified(name: str) -> None:
    """UserError for the name of a recipe or setting that is one of them."""
    last = name.rpartition(".")[2].replace("-", "_").lower()
    if last in {known.lower() for known in NAMES}:
        raise UserError(f"{name}: unspecified in the sources, which give its name and no description; leave it out")
