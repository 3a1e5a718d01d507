"""What the dynamic witness found: the probes that were run, how they were contained, or why nothing could be run."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pgolf_check.dynamic.canary import Evidence, combined
from pgolf_check.dynamic.harness.configuration import Probe
from pgolf_check.dynamic.harness.crossing import Crossed
from pgolf_check.dynamic.harness.flipping import Flipped
from pgolf_check.dynamic.harness.remedies import ATTEMPTS
from pgolf_check.dynamic.harness.trial import Trial


@dataclass(frozen=True, slots=True)
class DynamicFacts:
    """The trials of one submission. `contained` says by what, and what did not protect; `stopped` why there are none."""

    script: str
    trials: tuple[Trial, ...] = ()
    contained: str = ""
    stopped: str = ""
    flipped: Flipped | None = None
    """What other tokens at the end changed before them; None if that was not tried, or could not be told."""
    crossed: Crossed | None = None
    """What other tokens at the ends of documents changed behind them; None likewise, or if attention does not stop there."""

    @property
    def ran(self) -> tuple[Trial, ...]:
        """The trials that stated a loss."""
        return tuple(trial for trial in self.trials if trial.stated)

    @property
    def evidence(self) -> Evidence | None:
        """The mean of the e-values over all runs that there could have been, those that were not made or stated nothing counted as 0.

        The number of runs is fixed beforehand: which attempt was the first to state a loss is the script's choice.
        """
        found = [trial.evidence for trial in self.trials if trial.evidence is not None]
        if not found:
            return None
        return Evidence(combined(found).log_e + math.log(len(found) / (ATTEMPTS * len(Probe))))

    @property
    def convicts(self) -> bool:
        """Whether a breach is shown already: by the losses, or by a trace."""
        shown = self.evidence is not None and self.evidence.convicts()
        return shown or any(not traced.discarded for trial in self.trials for traced in trial.breaches)

    @property
    def problem(self) -> str:
        """Why nothing was learnt, "" if a trial ran."""
        if self.ran:
            return ""
        return self.stopped or "; ".join(dict.fromkeys(reason for trial in self.trials for reason in trial.reasons))
