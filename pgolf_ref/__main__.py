"""`python -m pgolf_ref`, which torchrun starts on every rank, is `pgolf-train`."""

import sys

from pgolf_ref.cli import main

sys.exit(main())
