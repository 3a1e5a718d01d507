"""A temperature of the logits: the one number of a few that makes the loss on training tokens least, once training is over.

Tokens come from a training loader alone, as those of a calibration on training text do. Invariants: the number is the same for any
number of ranks, which share the rows in turn; nothing but this number changes.
"""

import torch

from pgolf_ref.clock import Phase
from pgolf_ref.config import Config
from pgolf_ref.distributed import World
from pgolf_ref.model.gpt import GPT
from pgolf_ref.quant.sources import TrainingWindows, passes, refuse_without_time

CANDIDATES = (0.9, 0.95, 1.0, 1.05, 1.1)  # of PR 640


@torch.no_grad()
def fit_temperature(model: GPT, source: TrainingWindows, config: Config, phase: Phase, world: World) -> float:
    """Set `model.head.temperature` to the best of CANDIDATES over `export.calibration_rows` rows, and return it.

    The last token of a row is a target alone. UserError if no time is left.
    """
    if not isinstance(source, TrainingWindows):
        raise TypeError(f"a temperature is fitted on windows of a training loader, not on {type(source).__name__}")
    refuse_without_time(phase, world)
    losses = torch.zeros(len(CANDIDATES), dtype=torch.float64, device=world.device)
    for tokens, weight in passes(source, config, phase, world):
        inputs, targets = tokens[:, :-1], tokens[:, 1:]
        hidden = model.hidden(inputs)
        for number, candidate in enumerate(CANDIDATES):
            model.head.temperature.fill_(candidate)
            losses[number] += model.mean_loss(hidden, inputs, targets) * len(tokens) * weight
    best = CANDIDATES[int(world.sum(losses).argmin())]
    model.head.temperature.fill_(best)
    return best
