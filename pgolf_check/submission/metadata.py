"""Reads submission.json: all its problems at once, and the claimed figures under the names that submissions really use.

A file that cannot be parsed, repeats a key, holds NaN or nests too deep is a problem with its line and column, never an exception.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any

from pgolf_check.model import Location
from pgolf_check.submission.model import Metadata, Problem
from pgolf_check.submission.text import decode

HEADLINE = ("val_bpb", "mean_val_bpb", "val_bpb_mean", "mean_bpb", "final_val_bpb", "val_bpb_exact")
TOTAL = ("bytes_total", "artifact_bytes", "total_bytes", "artifact_bytes_max", "artifact_size_bytes")
CODE = ("bytes_code", "code_bytes")
PER_SEED = ("seed_results", "seeds", "results", "runs", "per_seed")
PROBLEMS = 50
"""No more of one kind are told."""
NESTING = 100
"""Objects and lists within each other; more are not read, whatever the interpreter's stack has room for."""

TEXT = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
BRACKET = re.compile(r"[\[{]|[\]}]")
SEED_KEY = re.compile(r"(?:seed[_ ]?)?(\d{1,10})$", re.IGNORECASE)
KINDS = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


def read_metadata(path: str, raw: bytes) -> Metadata:
    """The metadata in the bytes of a submission.json."""
    text, encoding = decode(raw)
    problems: list[Problem] = []
    if encoding not in ("utf-8", "utf-8-sig"):
        problems.append(Problem(Location(path), f"is {encoding} text; expected UTF-8"))
    data = _parse(path, text, problems)
    problems.extend(_violations(path, text, data) if isinstance(data, dict) else ())
    if not isinstance(data, dict):
        if not problems:
            problems.append(Problem(Location(path, 1, 1), f"holds {_kind(data)}; expected an object with name and val_bpb"))
        return Metadata(path, {}, tuple(problems))
    per_seed = _per_seed(data)
    return Metadata(
        path,
        data,
        tuple(problems),
        val_bpb=_headline(data),
        seeds=_seeds(data, per_seed),
        seed_bpb=per_seed,
        bytes_total=_bytes(data, TOTAL),
        bytes_code=_bytes(data, CODE),
        track=data["track"] if isinstance(data.get("track"), str) else "",
    )


def _parse(path: str, text: str, problems: list[Problem]) -> Any:
    """The parsed value, or None with a problem added."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) < len(items):
            for key, _ in islice((k for k in Counter(key for key, _ in items).items() if k[1] > 1), PROBLEMS):
                problems.append(Problem(_place(path, text, key), f"names {key!r} twice; only the last one counts"))
        return found

    def constant(name: str) -> float:
        problems.append(Problem(Location(path, *_position(text, text.find(name))), f"holds {name}, which JSON does not know"))
        return math.nan

    if not text.strip():
        problems.append(Problem(Location(path, 1, 1), "is empty; expected an object with name and val_bpb"))
        return None
    if _nesting(text) > NESTING:
        problems.append(Problem(Location(path, 1, 1), "nests too deep to be read"))
        return None
    try:
        return json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except json.JSONDecodeError as error:
        problems.append(Problem(Location(path, error.lineno, error.colno), f"is not JSON: {error.msg}"))
    except ValueError as error:
        problems.append(Problem(Location(path, 1, 1), f"cannot be read: {error}"))
    return None


def _nesting(text: str) -> int:
    """The most brackets that are open at once, outside of texts."""
    deepest = depth = 0
    for bracket in BRACKET.findall(TEXT.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _position(text: str, offset: int) -> tuple[int, int]:
    """1-based line and column."""
    before = text[: max(offset, 0)]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _place(path: str, text: str, key: str) -> Location:
    at = text.find(json.dumps(key, ensure_ascii=False))
    return Location(path, *_position(text, at)) if at >= 0 else Location(path)


@cache
def schema() -> Mapping[str, Any]:
    """The shipped JSON Schema of submission.json."""
    from pgolf_check.resources import rulebook_dir

    found: dict[str, Any] = json.loads((rulebook_dir() / "schemas" / "submission.schema.json").read_text(encoding="utf-8"))
    return found


def _violations(path: str, text: str, data: dict[str, Any]) -> Iterator[Problem]:
    """Where the object departs from the schema, one problem each."""
    from jsonschema import Draft202012Validator

    errors = sorted(
        islice(Draft202012Validator(schema()).iter_errors(data), PROBLEMS), key=lambda e: (list(map(str, e.path)), str(e.validator))
    )
    for error in errors:
        key = str(error.path[0]) if error.path else ""
        place = _place(path, text, key) if key else Location(path)
        if error.validator == "required":
            missing = str(error.message).split("'")[1]
            yield Problem(place, f"lacks {missing}" + (": expected the claimed score as a number" if missing == "val_bpb" else ""))
        elif error.validator == "anyOf":
            yield Problem(place, "lacks github_id or author")
        elif error.validator == "type":
            allowed = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
            wanted = " or ".join(KINDS[str(kind)] for kind in allowed)
            yield Problem(place, f"{'.'.join(map(str, error.path))} is {_shown(error.instance)}; expected {wanted}")
        else:
            wanted = (
                "a number above 0"
                if error.validator == "exclusiveMinimum"
                else "0 or more"
                if error.validator == "minimum"
                else "a name"
            )
            yield Problem(place, f"{'.'.join(map(str, error.path))} is {_shown(error.instance)}; expected {wanted}")


def _shown(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return _kind(value)
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _kind(value: Any) -> str:
    for kind, name in ((dict, "an object"), (list, "a list"), (str, "text"), (type(None), "nothing")):
        if isinstance(value, kind):
            return name
    return "a number"


def number(value: Any) -> float | None:
    """A finite number, also in quotes, with ~ before it or commas in it."""
    if isinstance(value, str):
        match = re.fullmatch(r"\s*~?\s*([-+]?\d[\d,]{0,30}(?:\.\d{1,30})?(?:[eE][-+]?\d{1,3})?)\s*", value)
        value = float(match[1].replace(",", "")) if match else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def _headline(data: Mapping[str, Any]) -> float | None:
    """The claimed score: a positive number under one of its names."""
    nested = data.get("val_bpb")
    for value in (*(data.get(key) for key in HEADLINE), nested.get("mean") if isinstance(nested, dict) else None):
        if (found := number(value)) is not None and found > 0:
            return found
    return None


def _bytes(data: Mapping[str, Any], keys: tuple[str, ...]) -> int | None:
    for key in keys:
        if (found := number(data.get(key))) is not None:
            return round(found)
    return None


def _per_seed(data: Mapping[str, Any]) -> dict[int, float]:
    """The score of each seed, from the first table that has any."""
    for key in PER_SEED:
        if found := dict(_table(data.get(key))):
            return dict(sorted(found.items()))
    return dict(sorted(_table({k: v for k, v in data.items() if re.fullmatch(r"seed_\d+", k)})))


def _table(value: Any) -> Iterator[tuple[int, float]]:
    if isinstance(value, dict):
        for key, result in value.items():
            named = SEED_KEY.match(key)
            score = _score(result)
            if named and score is not None:
                yield int(named[1]), score
    elif isinstance(value, list):
        for result in value:
            seed = number(result.get("seed")) if isinstance(result, dict) else None
            score = _score(result)
            if seed is not None and score is not None:
                yield int(seed), score


def _score(result: Any) -> float | None:
    if isinstance(result, dict):
        return next((n for key in ("val_bpb", "bpb", "final_val_bpb") if (n := number(result.get(key))) is not None), None)
    return number(result)


def _seeds(data: Mapping[str, Any], per_seed: Mapping[int, float]) -> tuple[int, ...]:
    """The seeds that are listed, in their order; else those of the table."""
    value = data.get("seeds", data.get("seed"))
    listed = value if isinstance(value, (list, dict)) else [value]
    found = [int(m[1]) for item in listed if (m := SEED_KEY.match(str(item))) and not isinstance(item, bool)]
    return tuple(dict.fromkeys(found)) or tuple(per_seed)
