"""What the paper rules say of submissions built in memory."""

from __future__ import annotations

from typing import Any

from submissions import facts, submission, three_logs

from pgolf_check.model import Answer, Certainty, Severity
from pgolf_check.rules.registry import all_rules
from pgolf_check.submission.model import File, Script, Submission


def check(code: str, judged: Submission | None = None, **changes: Any) -> Answer:
    return all_rules()[code].check(facts(judged, **changes))


def with_runs(**changes: Any) -> Submission:
    return submission(logs=three_logs(**changes))


def other_track(**changes: Any) -> Submission:
    return submission(path="records/track_non_record_16mb/study", **changes)


def blocks(answer: Answer) -> bool:
    return any(f.ceiling is Severity.BLOCK and f.certainty is not Certainty.POSSIBLE for f in answer.findings)


def figure(answer: Answer, name: str) -> Any:
    return next(f.value for f in answer.figures if f.name == name)


def with_source(text: str, *files: str, **script: Any) -> Submission:
    return submission(
        scripts={"train_gpt.py": Script("train_gpt.py", len(text), text, **script)},
        files=tuple(File(name, 1, b"\n") for name in ("train_gpt.py", *files)),
    )
