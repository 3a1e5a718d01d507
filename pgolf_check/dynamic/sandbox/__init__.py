"""Runs hostile code contained: a job sees a listed set of files, has no network, and ends with all its processes at its limits."""

from pgolf_check.dynamic.sandbox.interpreter import gpu_devices, interpreter_paths
from pgolf_check.dynamic.sandbox.job import Ending, Job, Layer, Limits, Mechanism, Outcome, SandboxError
from pgolf_check.dynamic.sandbox.run import run

__all__ = ["Ending", "Job", "Layer", "Limits", "Mechanism", "Outcome", "SandboxError", "gpu_devices", "interpreter_paths", "run"]
