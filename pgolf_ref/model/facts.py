"""The vocabulary as tensors beside the model: known to its forward pass, no part of its weights.

Invariant: a technique that needs the vocabulary raises until it is given; nothing is guessed in its place.
"""

import torch
from torch import Tensor, nn

from pgolf_ref.data.vocabulary import Vocabulary
from pgolf_ref.errors import UserError


class Facts(nn.Module):
    """Empty until `use`. Buffers follow the model to its device and are not stored with it."""

    word_start: Tensor | None
    kinds: Tensor | None

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        for name in ("word_start", "kinds"):
            self.register_buffer(name, None, persistent=False)

    def use(self, vocabulary: Vocabulary, device: torch.device) -> None:
        if len(vocabulary) != self.vocab_size:
            raise UserError(f"the tokenizer has {len(vocabulary)} pieces, the model's vocabulary {self.vocab_size}")
        self.word_start = torch.from_numpy(vocabulary.word_start).to(device)
        self.kinds = torch.from_numpy(vocabulary.kinds).to(device, torch.int64)

    def starts_word(self, tokens: Tensor) -> Tensor:
        """int64 (...) -> bool (...): whether the piece has a leading space"""
        return self._known(self.word_start)[tokens]

    def kind(self, tokens: Tensor) -> Tensor:
        """int64 (...) -> int64 (...), of Kind"""
        return self._known(self.kinds)[tokens]

    def _known(self, table: Tensor | None) -> Tensor:
        if table is None:
            raise UserError("this model needs the pieces of its tokenizer: call use_vocabulary before its first forward pass")
        return table
