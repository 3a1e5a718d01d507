"""Runs jobs as whoever starts it: JSON lines {argv, files, limits, out, weak, bubblewrap} in, JSON lines of the outcomes out.

Started by the tests as an ordinary user, with any interpreter that this user may run; needs only the sandbox package.
"""

import json
import sys
from dataclasses import fields

from pgolf_check.dynamic.sandbox import Job, Limits, SandboxError, mechanism, results, run

results.ENTRIES = 2000


def main() -> None:
    for line in sys.stdin:
        given = json.loads(line)
        if given["by"] == "namespaces":
            mechanism._no_bubblewrap = lambda: "bubblewrap is not tried"
        if given["by"] == "weak sandbox":
            mechanism._no_bubblewrap = mechanism._no_namespaces = lambda: "only the weak one is tried"
        files = {name: text.encode() for name, text in given["files"].items()}
        job = Job(tuple(given["argv"]), files, limits=Limits(**given["limits"]), out=given["out"])
        try:
            outcome = run(job, allow_weak=given["by"] == "weak sandbox")
        except SandboxError as error:
            print(json.dumps({"error": str(error)}), flush=True)
            continue
        told = {field.name: getattr(outcome, field.name) for field in fields(outcome)}
        told["results"] = {name: content.decode("latin-1") for name, content in outcome.results.items()}
        print(json.dumps(told, default=lambda value: value.decode("latin-1")), flush=True)


if __name__ == "__main__":
    main()
