"""Whether a score beats a rival's: tests on the scores of single runs, in bits per byte, lower is better.

The hypothesis that is tested is always that the new mean is below the old one by more than a margin. 0.005 nats per token, the README's
margin, is turned into bits per byte with the challenger's own tokens per byte.
"""

from __future__ import annotations

import datetime
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pgolf_check.errors import UserError
from pgolf_check.rules.edition import Record
from pgolf_check.stats.student import t_cdf, t_quantile


@dataclass(frozen=True, slots=True)
class Test:
    """A test of one gain: its p-value, and the power it had to find a gain as large as the observed one at level `level`."""

    p: float
    gain: float
    """Old mean minus new mean, bits per byte."""
    margin: float
    level: float
    power: float

    @property
    def passed(self) -> bool:
        return self.gain > self.margin and self.p < self.level


def welch(new: Sequence[float], old: Sequence[float], *, margin: float = 0.0, level: float = 0.05, ddof: int = 1) -> Test:
    """Welch's one-sided test of two samples of at least two runs each. `ddof` = 0 takes the deviations as those of a population.

    Raises ValueError for a shorter sample.
    """
    if len(new) < 2 or len(old) < 2:
        raise ValueError("Welch's test needs two runs on each side")
    parts = [_variance(sample, ddof) / len(sample) for sample in (new, old)]
    gain = statistics.fmean(old) - statistics.fmean(new)
    error = math.sqrt(sum(parts))
    if error == 0:
        return Test(0.0 if gain > margin else 1.0, gain, margin, level, float(gain > margin))
    df = sum(parts) ** 2 / sum(part**2 / (len(sample) - 1) for part, sample in zip(parts, (new, old), strict=True))
    t = (gain - margin) / error
    return Test(t_cdf(-t, df), gain, margin, level, t_cdf(t - t_quantile(1 - level, df), df))


def fixed_sigma(new: Sequence[float], old: Sequence[float], sigma: float, *, margin: float = 0.0, level: float = 0.05) -> Test:
    """The one-sided test with a known deviation between runs; one run on a side is enough. Raises ValueError for none."""
    if not new or not old:
        raise ValueError("a test needs a run on each side")
    gain = statistics.fmean(old) - statistics.fmean(new)
    z = (gain - margin) / (sigma * math.sqrt(1 / len(new) + 1 / len(old)))
    normal = statistics.NormalDist()
    return Test(normal.cdf(-z), gain, margin, level, normal.cdf(z - normal.inv_cdf(1 - level)))


def margin_bpb(nats_per_token: float, tokens_per_byte: float) -> float:
    """A margin in nats per token as bits per byte."""
    return nats_per_token / math.log(2) * tokens_per_byte


def standing(records: Iterable[Record], before: datetime.datetime, *, folder: str = "") -> Record | None:
    """The best record that was there before a moment; the row of `folder` itself is left out."""
    earlier = [r for r in records if r.created < before and r.folder != folder]
    return min(earlier, key=lambda r: (r.mean_bpb, r.created), default=None)


def rival_of(records: Sequence[Record], named: str) -> Record:
    """A rival that a reviewer names: part of one folder's name on the leaderboard, or scores such as 1.0810,1.0812.

    Raises UserError for what is neither, or fits several folders.
    """
    fitting = [r for r in records if named.lower() in r.folder.lower()]
    if len(fitting) == 1:
        return fitting[0]
    try:
        scores = tuple(float(part) for part in named.split(","))
    except ValueError:
        scores = ()
    if scores and all(0 < score < 100 for score in scores):
        now = datetime.datetime.now(datetime.UTC)
        return Record(now.date(), now, statistics.fmean(scores), statistics.fmean(scores), scores, named)
    told = f"fits {len(fitting)} rows of the leaderboard" if fitting else "is no row of the leaderboard and no list of scores"
    raise UserError(f"{named!r} {told}; expected part of one folder's name, or scores such as 1.0810,1.0812")


def _variance(sample: Sequence[float], ddof: int) -> float:
    mean = statistics.fmean(sample)
    return sum((value - mean) ** 2 for value in sample) / (len(sample) - ddof)
