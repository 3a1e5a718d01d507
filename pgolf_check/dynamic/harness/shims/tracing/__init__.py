"""The trace of a run: what it does with the tokens of the validation shard. Runs in the sandbox alone."""

from .trace import begin

__all__ = ["begin"]
