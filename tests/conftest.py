"""Settings of every test."""

from hypothesis import settings

settings.register_profile("pgolf", deadline=None)
"""How long an example takes is measured elsewhere; here it would fail where a machine is busy."""
settings.load_profile("pgolf")
