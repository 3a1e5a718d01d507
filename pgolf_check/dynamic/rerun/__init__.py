"""Runs a submission as it declares, at full size in the sandbox, and compares what comes out with what it claims."""
