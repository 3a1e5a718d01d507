"""S102: code that the run imports or compiles from its own folder counts like the script; here it was left out of the logged size."""

from __future__ import annotations

from pgolf_check.model import Answer, Certainty, Figure, Finding, Location, Witness
from pgolf_check.rules.answers import failed, not_applicable
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.local_code import local_files
from pgolf_check.rules.runs import counted_runs

CODE = "S102"


def check(facts: Facts) -> Answer:
    submission = facts.submission
    script = submission.scripts.get(submission.entry)
    if script is None:
        return not_applicable(CODE, "there is no script, see P101")
    local = [found for found in local_files(submission) if found.is_code]
    size = sum(found.file.size for found in local)
    figures = [Figure("local_code", size, "bytes")] if local else []
    logged = max((r.run.code_bytes or 0 for r in counted_runs(submission)), default=0)
    if not local or logged >= script.size + size:
        return failed(CODE, [], figures)
    names = ", ".join(f"{found.file.path} ({found.file.size:,} bytes)" for found in local[:5])
    more = f" and {len(local) - 5} more" if len(local) > 5 else ""
    counted = f"the log counts {logged:,} bytes of code" if logged else "no log counts the code"
    message = f"{script.path} brings in code of its folder: {names}{more}; {counted}, the script alone has {script.size:,}"
    places = (*(found.place for found in local[:5]), Location(script.path))
    return failed(CODE, [Finding(CODE, Witness.PAPER, Certainty.PROVEN, message, places)], figures)
