"""What the stand-ins told of a run: read as hostile text, and judged. A trace can convict, never acquit."""
