"""`python -m pgolf_check`: the working directory, which may be the submission that is judged, is taken off the module path first."""

import os
import sys

if not sys.flags.safe_path and sys.path[0] != os.path.dirname(os.path.dirname(os.path.abspath(__file__))):
    del sys.path[0]

from pgolf_check.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
