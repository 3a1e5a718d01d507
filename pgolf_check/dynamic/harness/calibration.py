"""The controls of a batch: a script known to be legal and one known to leak run through the same stand-ins first.

An error of the stand-ins, such as attention that is not causal, makes every legal script a leak; the legal control trains on what it
has scored, so that it would learn to use such a fault.
"""

from __future__ import annotations

from pathlib import Path

from pgolf_check.dynamic.harness.configuration import Probe
from pgolf_check.dynamic.harness.trial import Runner, try_script
from pgolf_check.errors import UserError

CONTROLS = Path(__file__).parent / "controls"


def check_controls(run: Runner) -> None:
    """Raises UserError unless the legal control shows nothing and the leaking one is convicted."""
    files = {path.name: path.read_bytes() for path in CONTROLS.glob("*.py")}
    for script, leaks in (("legal.py", False), ("leaking.py", True)):
        trial = try_script(script, files, Probe.EVALUATION, run)
        if trial.evidence is None:
            raise UserError(f"the control {script} could not be run here, so nothing is judged: {'; '.join(trial.reasons)}")
        if trial.evidence.convicts() is not leaks:
            expected = "a leak was expected" if leaks else "nothing was expected"
            raise UserError(
                f"the control {script} shows a log10 e-value of {trial.evidence.log10:,.1f} where {expected}: nothing is judged"
            )
