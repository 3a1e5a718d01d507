"""C107: no constant of the evaluation was chosen by how the validation tokens came out.

Read from what the README says about itself; only a person can tell a sweep over dumped validation scores from ordinary tuning.
"""

from __future__ import annotations

import re

from pgolf_check.model import Answer, Certainty, Finding, Location, Witness
from pgolf_check.rules.answers import failed
from pgolf_check.rules.facts import Facts

CODE = "C107"
TUNES = re.compile(
    r"\b(?:sweep|swept|(?:re)?tun(?:ed|ing)|grid[- ]search\w*|optimi[sz]ed|calibrated|fit(?:ted)?|chosen|selected)\b", re.IGNORECASE
)
OUTCOMES = re.compile(
    r"\bdump(?:ed|s)?\b|\bval(?:idation)?[ -](?:outcomes?|loss(?:es)?|distributions?|targets?|tokens?|data|set|scores?|log-?prob\w*)\b|"
    r"\bper-(?:byte|token) (?:distribution|log-?prob\w*)",
    re.IGNORECASE,
)
OTHERWISE = re.compile(
    r"\b(?:no|not|never|none|without|nor|isn't|wasn't|avoid\w*|fine-tun\w*|training data|train(?:ing)? split)\b", re.IGNORECASE
)
"""Words with which a sentence says the opposite, or speaks of training."""
LINE = 2000


def check(facts: Facts) -> Answer:
    path = next((f.path for f in facts.submission.files if f.path.lower().rpartition("/")[2].startswith("readme")), "README.md")
    findings = []
    for number, line in enumerate(facts.submission.readme.split("\n"), 1):
        for sentence in re.split(r"(?<=[.;!?])\s", line[:LINE]):
            if TUNES.search(sentence) and OUTCOMES.search(sentence) and not OTHERWISE.search(sentence):
                told = f"the README tells of a choice made on validation outcomes: {' '.join(sentence.split())[:160]}"
                findings.append(Finding(CODE, Witness.PAPER, Certainty.POSSIBLE, told, (Location(path, number),)))
    return failed(CODE, findings[:5])
