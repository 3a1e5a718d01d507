"""The score of an artifact, through the scoring ledger."""
