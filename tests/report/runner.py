"""How the runner of GitHub Actions reads a step's output, for tests of what we print: commands of any name, known to it or not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    name: str
    properties: dict[str, str]
    message: str


def commands(output: str) -> list[Command]:
    """The commands in an output; lines end as .NET's line reader ends them."""
    lines = output.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [command for line in lines if (command := _modern(line) or _legacy(line)) is not None]


def _modern(line: str) -> Command | None:
    """`::name key=value,key=value::message` at the start of a line."""
    line = line.lstrip()
    head, found, message = line[2:].partition("::")
    name, _, rest = head.partition(" ")
    if not line.startswith("::") or not found:
        return None
    pairs = (part.split("=", 1) for part in rest.strip().split(",") if part)
    properties = {pair[0]: _unescaped(pair[1], ":,") for pair in pairs if len(pair) == 2}
    return Command(name, properties, _unescaped(message, ""))


def _legacy(line: str) -> Command | None:
    """`##[name key=value;key=value]message` anywhere in a line."""
    before, found, rest = line.partition("##[")
    head, closed, message = rest.partition("]")
    return Command(head.partition(" ")[0], {}, message) if found and closed else None


def _unescaped(text: str, more: str) -> str:
    for character in "\r\n" + more + "%":
        text = text.replace(f"%{ord(character):02X}", character)
    return text
