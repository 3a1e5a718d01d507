"""Runs a script as `__main__` on a CPU in float32: `python launch.py SCRIPT`. Imported by nothing; it runs in the sandbox alone.

Nothing is patched on disk. What stands in for what: CUDA devices are the CPU, half precisions are float32, `torch.compile` and
`inference_mode` are the plain thing, process groups have one member, and FlashAttention is scaled_dot_product_attention.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    import compiling  # type: ignore[import-not-found]  # a top-level module of the sandbox
    import torch_on_cpu  # type: ignore[import-not-found]  # a top-level module of the sandbox

    script = Path(sys.argv[1]).resolve()
    sys.argv = [str(script)]
    sys.path[0] = str(script.parent)
    sys.path.append(str(Path(__file__).parent))
    compiling.install()
    with torch_on_cpu.installed():
        runpy.run_path(str(script), run_name="__main__")
