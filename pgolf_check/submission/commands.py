"""Finds launch commands in READMEs, run scripts and logs: which script is started, with which environment and arguments.

A reader of shell text, not a shell: assignments, exports, simple variables and loops over words are followed, nothing is run. A
value that stays unknown is left out.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pgolf_check.model import Location
from pgolf_check.submission.model import Command

FENCE = re.compile(r"^\s*(`{3,}|~{3,})")
INDENTED = re.compile(r"(?: {4}|\t)\s*\S")
INLINE = re.compile(r"`([^`\n]*(?:torchrun|python3?)\s[^`\n]*\.py[^`\n]*)`")
LOGGED = re.compile(r"(?:^|\s)((?:[A-Za-z_]\w*=\S+\s+)*(?:\S*/)?(?:torchrun|python3?(?:\.\d+)?)\s[^{}]*\.py\b.*)$")
ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)(?::?-([^{}$]*))?\}|([A-Za-z_]\w*))")
PLACEHOLDER = re.compile(r"<[A-Za-z][\w .-]*>")
"""What a README asks its reader to fill in."""

PYTHON = re.compile(r"(?:.*/)?python(?:3(?:\.\d+)?)?$")
PREFIXES = frozenset("env time nohup exec sudo stdbuf nice timeout command do then uv poetry run numactl setsid".split())
LAUNCHERS = frozenset({"torch.distributed.run", "torch.distributed.launch", "torchrun", "accelerate", "deepspeed"})
ENDS = frozenset(";&|()<>")
VALUED = frozenset(
    "-m --rdzv_backend --rdzv_endpoint --nproc_per_node --nproc-per-node --nnodes --node_rank --master_port --master_addr".split()
)
LINES = 4000


@dataclass(slots=True)
class _Shell:
    """The variables that are set at this point of a script."""

    variables: dict[str, str] = field(default_factory=dict)
    exported: dict[str, str] = field(default_factory=dict)

    def expand(self, word: str) -> str | None:
        """The word with its variables replaced; None if one is not known."""
        unknown = False

        def value(match: re.Match[str]) -> str:
            nonlocal unknown
            name = match[1] or match[3]
            found = self.variables.get(name, match[2])
            unknown = unknown or found is None
            return found or ""

        text = VARIABLE.sub(value, word)
        return None if unknown or "$(" in text or "`" in text or "$" in text else text


def in_readme(path: str, text: str) -> list[Command]:
    """The commands in the code blocks of a README; without any, those in inline code."""
    found: list[Command] = []
    for first, block in _blocks(text):
        found.extend(in_script(path, "\n".join(block), first))
    if found:
        return found
    for number, line in enumerate(text.split("\n"), 1):
        for code in INLINE.findall(line[:LINES]):
            found.extend(in_script(path, code, number))
    return found


def _blocks(text: str) -> Iterator[tuple[int, list[str]]]:
    """(first line, lines) of each fenced or indented code block."""
    fence, first, block = "", 0, list[str]()
    for number, line in enumerate(text.split("\n")[: LINES * 4], 1):
        mark = FENCE.match(line)
        if mark and (not fence or mark[1].startswith(fence)):
            yield first, block
            fence, first, block = "" if fence else mark[1], number + 1, []
        elif fence or INDENTED.match(line):
            first = first if block else number
            block.append(line)
        elif block:
            yield first, block
            block = []
    yield first, block


def in_log(path: str, lines: Sequence[tuple[int, str]]) -> Command | None:
    """The launch command that a log shows; `lines` are its first ones with their numbers."""
    for number, line in lines:
        shown = LOGGED.search(line) if ".py" in line and len(line) < 4000 else None
        found = in_script(path, shown[1], number) if shown else []
        if found and found[0].script:
            return found[0]
    return None


def in_script(path: str, text: str, first: int = 1) -> list[Command]:
    """The commands of a shell script or code block that starts at line `first`."""
    shell = _Shell()
    found: list[Command] = []
    for number, line in _logical_lines(text):
        for words in _simple_commands(line):
            command = _command(shell, words, Location(path, first + number), " ".join(line.split()))
            if command is not None:
                found.append(command)
    return found


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """(index of the first line, text) with continued lines joined and prompts taken off."""
    start, parts = 0, list[str]()
    for index, raw in enumerate(text.split("\n")[:LINES]):
        line = raw.strip()
        if parts and line.startswith("#"):
            continue
        if not parts:
            start, line = index, re.sub(r"^(?:\$|>|\+|!)\s+", "", line)
        if line.endswith("\\"):
            parts.append(line[:-1])
            continue
        yield start, " ".join([*parts, line])
        parts = []
    if parts:
        yield start, " ".join(parts)


def _simple_commands(line: str) -> Iterator[list[str]]:
    """The words of each command in a line; redirections end one."""
    if len(line) > 20_000:
        return
    line = PLACEHOLDER.sub("${_placeholder}", line)
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|()<>")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    words: list[str] = []
    redirected = False
    try:
        for word in lexer:
            if word and set(word) <= ENDS:
                redirected = bool(set(word) & set("<>"))
                if redirected and words and words[-1] in ("1", "2"):
                    words.pop()
                elif not redirected:
                    yield words
                    words = []
            elif not redirected:
                words.append(word)
    except ValueError:
        return
    yield words


def _command(shell: _Shell, words: list[str], place: Location, text: str) -> Command | None:
    """The launch command in these words, or None; assignments and exports change the shell."""
    if words[:1] == ["for"] and len(words) > 3 and words[2] == "in":
        shell.variables[words[1]] = shell.expand(words[3]) or words[3]
        return None
    if words[:1] in (["export"], ["declare"], ["set"]):
        _assign(shell, words[1:], export=words[0] != "set")
        return None
    local, rest = _prefix(shell, words)
    if not rest:
        _assign(shell, words, export=False)
        return None
    if rest[0] in ("bash", "sh") and rest[1:2] in (["-c"], ["-lc"]) and len(rest) > 2:
        inner = in_script(place.path, rest[2], place.line)
        return inner[-1] if inner else None
    started = _started(rest)
    if started is None:
        return None
    script, arguments = started
    known = [shell.expand(word) for word in arguments]
    environment = {**shell.exported, **local}
    return Command(
        place, text, (shell.expand(script) or script).removeprefix("./"), environment, tuple(w for w in known if w is not None)
    )


def _assign(shell: _Shell, words: list[str], *, export: bool) -> None:
    for word in words:
        assigned = ASSIGNMENT.fullmatch(word)
        if assigned:
            value = shell.expand(assigned[2])
            for table in (shell.variables, shell.exported) if export or assigned[1] in shell.exported else (shell.variables,):
                table.pop(assigned[1], None)
                if value is not None:
                    table[assigned[1]] = value
        elif export and word in shell.variables:
            shell.exported[word] = shell.variables[word]


def _prefix(shell: _Shell, words: list[str]) -> tuple[dict[str, str], list[str]]:
    """(environment set in front of the command, the command's own words)."""
    local: dict[str, str] = {}
    rest = list(words)
    wrapped = False
    while rest:
        assigned = ASSIGNMENT.fullmatch(rest[0])
        if assigned:
            value = shell.expand(assigned[2])
            if value is not None:
                local[assigned[1]] = value
        elif rest[0] in PREFIXES:
            wrapped = True
        elif not (wrapped and (rest[0].startswith("-") or re.fullmatch(r"\d+[smh]?", rest[0]))):
            break
        rest.pop(0)
    return local, rest


def _started(words: list[str]) -> tuple[str, list[str]] | None:
    """(script, arguments) if the words start Python or a launcher on a script or module."""
    program = words[0].rpartition("/")[2]
    if program not in LAUNCHERS and not PYTHON.match(words[0]) and not re.fullmatch(r"\$\{?PY(?:THON)?(?:_BIN)?\}?", words[0]):
        return (words[0], words[1:]) if words[0].endswith(".py") else None
    index = 1
    launcher = program in LAUNCHERS
    while index < len(words):
        word = words[index]
        if word == "-m" and index + 1 < len(words) and words[index + 1] not in LAUNCHERS:
            return (f"{words[index + 1].replace('.', '/')}.py", words[index + 2 :])
        if word.endswith(".py"):
            return word, words[index + 1 :]
        if word in ("-c", "-"):
            return None
        launcher = launcher or word in LAUNCHERS
        index += 2 if launcher and word in VALUED and word != "-m" else 1
    return None
