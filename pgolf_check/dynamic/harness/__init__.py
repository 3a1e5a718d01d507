"""Runs an unmodified training script on a CPU, shrunk to seconds, on streams of random tokens."""
