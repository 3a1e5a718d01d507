"""From weights to an artifact and back."""
