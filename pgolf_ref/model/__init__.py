"""The transformer: one concept per module; `gpt.py` puts them together."""
