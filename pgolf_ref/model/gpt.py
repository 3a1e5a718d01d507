"""The whole model: tokens in, softcapped logits or mean loss out.

* tokens become vectors in `embedder.py` and vectors logits in `head.py`; a tied model shares the embedder's table
* which block runs when is a plan (`plan.py`); loops may begin in a later phase of the run
* RMS norm without weight, U-Net skips (`skips.py`), one or two residual streams (`lanes.py`)
* parameters stay in float32 (or float64); matrices are cast to the activation dtype where they are used
"""

from collections import Counter

import torch
from torch import Tensor, nn

from pgolf_ref.config import ModelConfig
from pgolf_ref.config.block import LANES
from pgolf_ref.data.vocabulary import Vocabulary
from pgolf_ref.model import depth
from pgolf_ref.model.block import Block
from pgolf_ref.model.documents import segments
from pgolf_ref.model.embedder import Embedder
from pgolf_ref.model.flow import Adapters, Flow, Values, unadapted
from pgolf_ref.model.head import Head
from pgolf_ref.model.lanes import Lanes
from pgolf_ref.model.norm import rms_norm
from pgolf_ref.model.passes import Passes
from pgolf_ref.model.past import Pasts
from pgolf_ref.model.plan import Step, phases, skip_count
from pgolf_ref.model.skips import Skips
from pgolf_ref.model.ternary import make_ternary
from pgolf_ref.model.values import ValueEmbedding


class GPT(nn.Module):
    """B sequences of T tokens, d channels, V vocabulary entries. A fresh model is in the last phase of its plan."""

    def __init__(self, config: ModelConfig, dtype: torch.dtype | None = None) -> None:
        """`dtype` of activations; None is that of the parameters."""
        super().__init__()
        self.config = config
        self.dtype = dtype
        self.backend = "auto"  # of attention, a name in kernels.py
        self.phases = phases(config)
        self.plan = self.phases[-1].steps
        self.embedding = Embedder(config)
        applied = Counter(step.block for step in self.plan)
        self.blocks = nn.ModuleList(Block(config, layer, applied[layer] - 1) for layer in range(config.layers))
        self.skips = Skips(config, skip_count(self.plan)) if config.block.skips == "unet" else None
        self.lanes = Lanes(config) if config.block.parallel in LANES else None
        self.passes = Passes(config) if config.recurrence.loops else None
        self.soft_gates = depth.SoftGates(len(self.plan)) if config.block.soft_gates else None
        self.value_embedding = ValueEmbedding(config) if config.attention.value_embedding_layers else None
        self.head = Head(config)
        if config.ternary_group:
            make_ternary(self.blocks, config.ternary_group)

    def use_vocabulary(self, vocabulary: Vocabulary) -> None:
        """Tell the model the pieces of its tokenizer; some techniques need it before the first forward pass."""
        self.embedding.use_vocabulary(vocabulary)

    def begin(self, fraction: float) -> bool:
        """Use the plan of this fraction of a run; whether it is another one than before."""
        steps = next(phase.steps for phase in reversed(self.phases) if phase.start <= fraction)
        changed, grown = steps is not self.plan, len(steps) > len(self.plan)
        if self.config.recurrence.untied_mlp and grown:
            known = {(step.block, step.repeat) for step in self.plan}
            for step in steps:
                if (step.block, step.repeat) not in known:
                    self.blocks[step.block].copy_mlp(step.repeat)
        self.plan = steps
        return changed

    def hidden(
        self, tokens: Tensor, adapters: Adapters | None = None, *, dropping: bool = False, pasts: Pasts | None = None
    ) -> Tensor:
        """int64 (B, T) -> normalised last residual (B, T, d); `dropping` leaves out blocks at random, as training does

        With `pasts` the result is of the positions after those that have gone through with them before.
        """
        dtype = self.dtype or self.embedding.table.dtype
        seen = 0 if pasts is None else pasts.seen
        x0 = self.embedding(tokens, dtype)[:, seen:]
        extra = {} if self.value_embedding is None else self.value_embedding(tokens[:, seen:], dtype)
        attention, values = self.config.attention, Values()
        documents = segments(tokens, attention.max_document) if attention.documents else None
        outputs: list[Tensor] = []
        x, lane = x0, None
        for number, step in enumerate(self.plan):
            adapt = unadapted if adapters is None else adapters(number)
            past = None if pasts is None else pasts.layers[number]
            flow = Flow(documents, values, extra.get(step.block), x0, adapt, step.repeat, self.backend, past)
            if step.lanes and lane is None:
                lane = x
            x = self._entered(x, step, flow, outputs)
            if step.lanes and lane is not None and self.lanes is not None:
                x, lane = self.lanes(self.blocks[step.block], step.block, (x, lane), flow)
            else:
                x = self._applied(x, tokens, number, step, flow, dropping)
            outputs.append(x)
        return rms_norm(x if lane is None or self.lanes is None else self.lanes.merged(x, lane))

    def forward(self, tokens: Tensor, adapters: Adapters | None = None) -> Tensor:
        """int64 (B, T) -> logits (B, T, V), float32 or better"""
        adapt = unadapted if adapters is None else adapters(len(self.plan))
        return self.head.logits(self.hidden(tokens, adapters), tokens, self.embedding.table, adapt)

    def logits_at(self, tokens: Tensor, places: Tensor, adapters: Adapters | None = None) -> Tensor:
        """int64 (B, T) and places in each row, int64 (B, k) -> the logits there (B, k, V)"""
        if self.config.head.count_bias:
            logits = self(tokens, adapters)
            return logits.gather(1, places.unsqueeze(2).expand(-1, -1, logits.size(2)))
        adapt = unadapted if adapters is None else adapters(len(self.plan))
        hidden = self.hidden(tokens, adapters)
        picked = hidden.gather(1, places.unsqueeze(2).expand(-1, -1, hidden.size(2)))
        return self.head.logits(picked, tokens.gather(1, places), self.embedding.table, adapt)

    def loss(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """int64 (B, T) twice -> mean negative log-likelihood of the targets in nats, of those that are trained on"""
        return self.mean_loss(self.hidden(tokens), tokens, targets)

    def mean_loss(self, hidden: Tensor, tokens: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """The same from the last residual (B, T, d), each target by its weight (B, T)."""
        return self.head.mean_loss(hidden, tokens, targets, self.embedding.table, weights)

    def _entered(self, x: Tensor, step: Step, flow: Flow, outputs: list[Tensor]) -> Tensor:
        """The residual before a block: what its pass of a loop does, then its skip."""
        if self.passes is not None and step.enters is not None and flow.x0 is not None:
            x = self.passes(x, flow.x0, step.enters)
        if self.skips is not None and step.skip is not None and step.source is not None:
            x = self.skips(x, outputs[step.source], step.skip)
        return x

    def _applied(self, x: Tensor, tokens: Tensor, number: int, step: Step, flow: Flow, dropping: bool) -> Tensor:
        """The residual after a block, or a share of its change."""
        y: Tensor = self.blocks[step.block](x, flow.x0, flow)
        if self.soft_gates is not None:
            y = self.soft_gates(x, y, number)
        if dropping and self.config.block.stochastic_depth:
            probability = depth.drop_probability(self.config, number, len(self.plan))
            y = depth.randomly(x, y, tokens, number, probability)
        return y
