"""python -m pgolf_ref, and the command pgolf-train: an interrupt is told and answered with 130 from the first import on."""

import os
import sys

INTERRUPTED = 130


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        import signal

        from pgolf_ref.cli import main as run

        code = run()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # what is left is the interpreter's own end
    except KeyboardInterrupt:
        print("pgolf-train: interrupted before anything was done", file=sys.stderr)
        code = INTERRUPTED
    if code == INTERRUPTED:
        # An interrupt inside an import makes the interpreter end by the signal, even if it was caught.
        sys.stdout.flush()
        os._exit(code)
    return code


if __name__ == "__main__":
    sys.exit(main())
