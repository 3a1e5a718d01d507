"""What a training step minimises: the weighted loss of every target, plus the auxiliary heads.

Invariants: with the default configuration it is the model's own loss, to the bit, and has no parameter of its own; the heads are
parameters of the objective and not of the model, so that they are trained but never exported or evaluated.
"""

from torch import Tensor, nn

from pgolf_ref.config import ModelConfig
from pgolf_ref.config.losses import LossConfig
from pgolf_ref.losses.auxiliary import MultiToken, NextWord, Predictor, WordStart
from pgolf_ref.losses.terms import shapes_losses, target_losses
from pgolf_ref.losses.weights import target_weights, weights_targets
from pgolf_ref.model.gpt import GPT


class Objective(nn.Module):
    """A model and what only its training needs."""

    def __init__(self, model: GPT, config: LossConfig) -> None:
        super().__init__()
        self.config = config
        self.model = model
        m: ModelConfig = model.config
        self.multi_token = MultiToken(config.mtp_heads, m.vocab_size, m.dim, m.softcap) if config.mtp_heads else None
        self.next_word = NextWord(m.vocab_size, m.dim, m.softcap) if config.next_word_weight else None
        self.word_start = WordStart(m.dim) if config.word_start_head_weight else None
        self.predictor = Predictor(m.dim, model.embedding.hash_dim) if config.jepa_weight else None

    def forward(self, tokens: Tensor, targets: Tensor, fraction: Tensor) -> Tensor:
        """int64 (B, T) twice, the fraction of the run that is over (a scalar) -> the loss"""
        hidden = self.model.hidden(tokens, dropping=True)
        return self._main(hidden, tokens, targets, fraction) + self._auxiliary(hidden, tokens, targets)

    def _main(self, hidden: Tensor, tokens: Tensor, targets: Tensor, fraction: Tensor) -> Tensor:
        config, model = self.config, self.model
        weights = target_weights(targets, config, model.embedding.facts, fraction) if weights_targets(config) else None
        if not shapes_losses(config):
            return model.mean_loss(hidden, tokens, targets, weights)
        focal = config.focal * (fraction >= config.focal_from)
        table, skipped = model.embedding.table, model.config.embedding.memory_tokens
        losses = model.head.losses(hidden, tokens, targets, table, lambda z, y: target_losses(z, y, config, focal))
        return (losses if weights is None else losses * weights)[:, skipped:].mean()

    def _auxiliary(self, hidden: Tensor, tokens: Tensor, targets: Tensor) -> Tensor | float:
        config, facts, skipped = self.config, self.model.embedding.facts, self.model.config.embedding.memory_tokens
        hidden, targets = hidden[:, skipped:], targets[:, skipped:]
        total: Tensor | float = 0.0
        if self.multi_token is not None:
            total = total + config.mtp_weight * self.multi_token(hidden, targets)
        if self.next_word is not None:
            total = total + config.next_word_weight * self.next_word(hidden, targets, facts)
        if self.word_start is not None:
            total = total + config.word_start_head_weight * self.word_start(hidden, targets, facts)
        if self.predictor is not None:
            total = total + config.jepa_weight * self.predictor(hidden, self.model.embedding.hash_vectors(tokens)[:, skipped:])
        return total
