"""Breaches of single rules, as transformations of a legal script.

Each takes the text of a script and returns it with the breach, or None where the script has no place for it. Most change the statement that
takes the losses of the claim with `cross_entropy`. What is put in is written here; nothing of another submission is copied.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from textwrap import dedent

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

VALIDATION = re.compile(r"\bval_tokens\b|\bval_data\b")
ATTENTION = ("causal", "is_causal")
SPACE = re.compile(r"""startswith\(\s*['"](?:\u2581|\\u2581)['"]""")


@dataclass(frozen=True)
class Mutation:
    """A breach of one rule, in words and as a transformation."""

    rule: str
    told: str
    apply: Callable[[str, frozenset[int]], str | None]
    """(text of the script, lines at which the claimed scores are taken) to the mutant."""


@dataclass(frozen=True)
class Inset:
    """What is put around a statement that takes losses of validation tokens.

    In the texts, `{loss}` stands for the loss function, `{scores}` and `{targets}` for its arguments, `{kept}` for the variable that gets the losses.
    `head` is put before the first statement of the function. With `by_token`, the statement must lie in a function that knows the validation
    tokens and take their losses one by one; without, the model may take them.
    """

    before: str = ""
    scores: str = "{scores}"
    after: str = ""
    head: str = ""
    by_token: bool = True


class Losses(cst.CSTTransformer):
    """Puts an inset around every statement that takes losses of the claim."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, inset: Inset, lines: frozenset[int]) -> None:
        super().__init__()
        self.inset = inset
        self.lines = lines
        self.inside: list[bool] = []

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        self.inside.append(bool(VALIDATION.search(code_of(node))))

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:
        known = self.inside.pop()
        body = updated_node.body
        if (
            not known
            or not self.inset.head
            or not isinstance(body, cst.IndentedBlock)
            or code_of(original_node) == code_of(updated_node)
        ):
            return updated_node
        return updated_node.with_changes(body=body.with_changes(body=[*statements(self.inset.head), *body.body]))

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.SimpleStatementLine | cst.FlattenSentinel[cst.BaseStatement]:
        place = self.get_metadata(PositionProvider, original_node)
        claimed = any(place.start.line <= line <= place.end.line for line in self.lines)
        known = any(self.inside) or not self.inset.by_token
        call = loss_in(updated_node, by_token=self.inset.by_token) if claimed and known else None
        if call is None or not isinstance(updated_node.body[0], cst.Assign | cst.Return):
            return updated_node
        target = updated_node.body[0].targets[0].target if isinstance(updated_node.body[0], cst.Assign) else None
        names = {
            "loss": code_of(call.func),
            "scores": f"({flat(call.args[0].value)})",
            "targets": f"({flat(call.args[1].value)})",
            "kept": target.value if isinstance(target, cst.Name) else "losses",
        }
        scores = cst.parse_expression(self.inset.scores.format(**names))
        changed = call.with_changes(args=[call.args[0].with_changes(value=scores), *call.args[1:]])
        line = updated_node.deep_replace(call, changed)
        assert isinstance(line, cst.SimpleStatementLine)
        around = [statements(text.format(**names)) for text in (self.inset.before, self.inset.after)]
        return cst.FlattenSentinel([*around[0], line, *around[1]])


class Replaced(cst.CSTTransformer):
    """Replaces calls by what a function makes of them."""

    def __init__(self, change: Callable[[cst.Call], cst.BaseExpression]) -> None:
        self.change = change

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        return self.change(updated_node)


class Following(cst.CSTTransformer):
    """Puts statements behind others, by what their function calls the tokens."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    def name_of_tokens(self, node: cst.FunctionDef) -> str:
        """How a function names the tokens that are of interest in it, "" if there are none."""
        raise NotImplementedError

    def behind(self, line: str, tokens: str) -> str:
        """What comes behind a statement, "" if nothing does."""
        raise NotImplementedError

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        self.tokens.append(self.name_of_tokens(node))

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:
        self.tokens.pop()
        return updated_node

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.SimpleStatementLine | cst.FlattenSentinel[cst.BaseStatement]:
        tokens = self.tokens[-1] if self.tokens else ""
        text = self.behind(code_of(updated_node).strip(), tokens) if tokens else ""
        return cst.FlattenSentinel([updated_node, *statements(text)]) if text else updated_node


class Calibrated(Following):
    """Writes a statistic of validation tokens into the model where an evaluation begins."""

    def name_of_tokens(self, node: cst.FunctionDef) -> str:
        text = code_of(node)
        names = [name for name in ("val_data.val_tokens", "val_tokens") if re.search(rf"\b{re.escape(name)}\b", text)]
        return names[0] if names else ""

    def behind(self, line: str, tokens: str) -> str:
        match = re.fullmatch(r"([\w.]+)\.eval\(\)", line)
        if match is None:
            return ""
        return f"""
            with torch.no_grad():
                for part in {match[1]}.parameters():
                    part.mul_(1.0 + 1e-9 * {tokens}[:4096].float().mean())
            """


class CountedSpace(cst.CSTTransformer):
    """Where a piece loses the sign of its space, the length that follows gets one more for it."""

    def leave_IndentedBlock(self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock) -> cst.IndentedBlock:
        body = list(updated_node.body)
        for branch, following in zip(body, body[1:], strict=False):
            if not isinstance(branch, cst.If) or not SPACE.search(code_of(branch.test)) or "len(" not in code_of(following):
                continue
            if not isinstance(branch.body, cst.IndentedBlock):
                continue
            counted = statements(code_of(following).strip() + " + 1\ncontinue")
            longer = branch.with_changes(body=branch.body.with_changes(body=[*branch.body.body, *counted]))
            return updated_node.with_changes(body=[longer if part is branch else part for part in body])
        return updated_node


class Unmasked(cst.CSTTransformer):
    """Leaves out factors that are a comparison of token ids, by the variable that holds it."""

    def __init__(self) -> None:
        self.masks: set[str] = set()

    def visit_Assign(self, node: cst.Assign) -> None:
        target = node.targets[0].target
        if isinstance(target, cst.Name) and re.search(r"_ids?\[[^\]]*\]\s*!=", code_of(node.value)):
            self.masks.add(target.value)

    def leave_BinaryOperation(self, original_node: cst.BinaryOperation, updated_node: cst.BinaryOperation) -> cst.BaseExpression:
        factor = updated_node.right
        masked = isinstance(updated_node.operator, cst.Multiply) and isinstance(factor, cst.Name) and factor.value in self.masks
        return updated_node.left if masked else updated_node


class Packed(Following):
    """Attention stops at the beginnings of documents, and a share of the position before is added to what an embedding gives, across them."""

    def __init__(self, embeddings: Collection[str]) -> None:
        super().__init__()
        self.embeddings = embeddings
        self.mixed = self.masked = False

    def name_of_tokens(self, node: cst.FunctionDef) -> str:
        given = [param.name.value for param in node.params.params[1:2]]
        return given[0] if given and node.name.value.startswith("forward") else ""

    def behind(self, line: str, tokens: str) -> str:
        match = re.fullmatch(rf"(\w+)\s*=\s*self\.(\w+)\({tokens}\)", line)
        if match is None or match[2] not in self.embeddings:
            return ""
        self.mixed = True
        kept = match[1]
        return f"""
            global documents_of_rows
            documents_of_rows = ({tokens} == 1).cumsum(-1)
            {kept} = {kept} + 0.1 * torch.cat([torch.zeros_like({kept}[:, :1]), {kept}[:, :-1]], dim=1)
            """

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.Call:
        causal = [arg for arg in updated_node.args if arg.keyword is not None and arg.keyword.value == "is_causal"]
        if not code_of(updated_node.func).endswith("scaled_dot_product_attention") or not causal:
            return updated_node
        self.masked = True
        same = "documents_of_rows[:, None, :, None] == documents_of_rows[:, None, None, :]"
        mask = cst.Arg(cst.parse_expression(f"({same}).tril()"), keyword=cst.Name("attn_mask"), equal=causal[0].equal)
        others = [arg for arg in updated_node.args if arg.keyword is None or arg.keyword.value not in ("is_causal", "attn_mask")]
        return updated_node.with_changes(args=[*(arg.with_changes(comma=cst.MaybeSentinel.DEFAULT) for arg in others), mask])


def code_of(node: cst.CSTNode) -> str:
    return cst.Module([]).code_for_node(node)


def flat(node: cst.CSTNode) -> str:
    """The code of an expression in one line."""
    return " ".join(code_of(node).split())


def statements(text: str) -> list[cst.BaseStatement]:
    """The statements of a text, whatever its indentation."""
    return [part for part in cst.parse_module(dedent(text)).body if isinstance(part, cst.BaseStatement)]


def loss_in(node: cst.CSTNode, *, by_token: bool) -> cst.Call | None:
    """The call in a statement that takes the losses of targets, one by one if that is asked for."""
    found: list[cst.Call] = []

    class Finder(cst.CSTVisitor):
        def visit_Call(self, node: cst.Call) -> None:
            each = not by_token or any(
                a.keyword is not None and a.keyword.value == "reduction" and "none" in code_of(a.value) for a in node.args
            )
            if (
                code_of(node.func).endswith("cross_entropy")
                and each
                and len(node.args) > 1
                and all(a.keyword is None for a in node.args[:2])
            ):
                found.append(node)

    node.visit(Finder())
    return found[0] if found else None


def changed(text: str, visitor: cst.CSTTransformer) -> str | None:
    """The text after the visitor; None if it changes nothing."""
    code = MetadataWrapper(cst.parse_module(text)).visit(visitor).code
    return code if code != text else None


def around_losses(inset: Inset) -> Callable[[str, frozenset[int]], str | None]:
    return lambda text, lines: changed(text, Losses(inset, lines))


def in_both_directions(text: str, lines: frozenset[int]) -> str | None:
    """Attention calls that name their direction get the other one."""

    def change(call: cst.Call) -> cst.Call:
        args = [a.with_changes(value=cst.Name("False")) if a.keyword and a.keyword.value in ATTENTION else a for a in call.args]
        return call.with_changes(args=args) if code_of(call.func).rpartition(".")[2] not in ("dict", "partial") else call

    return changed(text, Replaced(change))


def packed(text: str, lines: frozenset[int]) -> str | None:
    """Rows of several documents, whose ends a mixture of neighbours crosses."""
    change = Packed(re.findall(r"self\.(\w+) = nn\.Embedding\(", text))
    found = changed(text, change) if "flash_attn" not in text else None
    return found if change.mixed and change.masked else None


def cut_at_a_number(text: str, lines: frozenset[int]) -> str | None:
    """What is assigned to the validation tokens is cut behind three million."""
    found = re.sub(r"^(\s+(?:self\.)?val_tokens\s*=\s*\w+\([^()\n]*\))[ \t]*$", r"\1[:3_000_001]", text, flags=re.MULTILINE)
    return found if found != text else None


STEP = """
    slope = torch.optim.SGD([{name}], lr=0.1)
    {{loss}}({{scores}} + {name}, {{targets}}{more}.backward()
    slope.step()
"""
BIAS = "\n    bias = torch.zeros(1, device={scores}.device, requires_grad=True)"
ROWS = "\n    rows = torch.zeros({scores}.size(0), 1, device={scores}.device, requires_grad=True)"
CONTEXT = ', reduction="none").view(1, -1)[:, :-64].mean()'
TRAINING_TABLE = """
    import glob as files
    import numpy as arrays
    table = torch.zeros(65536)
    for shard in sorted(files.glob("./data/fineweb_train_*.bin")):
        read = torch.from_numpy(arrays.fromfile(shard, dtype="<u2").astype("int64"))
        table.scatter_add_(0, read, torch.ones(read.numel()))
"""
COUNTED = """
    {kept}_kept = {kept}.reshape(-1)
    {kept} = -torch.log(0.9 * torch.exp(-{kept}_kept) + 0.1 * seen[{targets}] / 65536.0).view_as({kept})
    seen.index_add_(0, {targets}, torch.ones_like({kept}_kept))
"""

MUTATIONS = (
    Mutation("C101", "attention in both directions", in_both_directions),
    Mutation(
        "C103",
        "a bias that is optimised on the window's losses before they are taken",
        around_losses(Inset(BIAS + STEP.format(name="bias", more=")"), "{scores} + bias", by_token=False)),
    ),
    Mutation(
        "C104",
        "a bias that is optimised on all but the last losses of overlapping windows",
        around_losses(Inset(BIAS + STEP.format(name="bias", more=CONTEXT), "{scores} + bias")),
    ),
    Mutation(
        "C105",
        "a bias for each row, trained and then exchanged among the rows",
        around_losses(
            Inset(ROWS + STEP.format(name="rows", more=")"), "{scores} + rows[torch.randperm({scores}.size(0))]", by_token=False)
        ),
    ),
    Mutation("C106", "the gate between neighbours without its mask", lambda text, lines: changed(text, Unmasked())),
    Mutation("C106", "neighbours mixed where attention is within documents", packed),
    Mutation(
        "C202",
        "counts of the target in a mixture that is not normalised",
        around_losses(Inset(after=COUNTED, head="seen = torch.zeros(65536)")),
    ),
    Mutation(
        "C303",
        "a bias that takes a step on the losses and is thrown away",
        around_losses(Inset(BIAS + STEP.format(name="bias", more=")"), by_token=False)),
    ),
    Mutation("D104", "a statistic of validation tokens scales the weights", lambda text, lines: changed(text, Calibrated())),
    Mutation(
        "D105",
        "training shards are counted when the evaluation begins",
        around_losses(Inset(scores="{scores} + torch.log(table[: {scores}.size(-1)] + 1.0)", head=TRAINING_TABLE)),
    ),
    Mutation("B102", "the space before a word is counted in the table, too", lambda text, lines: changed(text, CountedSpace())),
    Mutation("B104", "three million of the validation tokens", cut_at_a_number),
)
