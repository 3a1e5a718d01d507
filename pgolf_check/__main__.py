"""`python -m pgolf_check`."""

import sys

from pgolf_check.cli import main

if __name__ == "__main__":
    sys.exit(main())
