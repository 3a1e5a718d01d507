"""Short names for the attributes and methods of classes that have nothing to do with classes of others.

A name is changed only if annotations and constructors tell, wherever it is used, that the object is of such a class; so it depends on
the text of the program alone. Invariant: the program computes what it computed before.
"""

import ast
import itertools
import keyword
import string
from collections import Counter
from collections.abc import Iterator, Sequence

from pgolf_ref.bundle.kinds import stores
from pgolf_ref.bundle.strip import declared, is_dataclass
from pgolf_ref.bundle.trees import walk
from pgolf_ref.bundle.whole import Whole, is_replace, texts_of_attributes


def own_attributes(statements: Sequence[ast.stmt]) -> frozenset[str]:
    """The names that may be changed; the statements have their annotations of classes."""
    whole = Whole(statements)
    plain = {name for name in whole.nodes if _is_plain(name, whole)}
    ours, others = set[str](), set[str]()
    for name, node in whole.nodes.items():
        (ours if name in plain else others).update(_defined(node))
        others.update(
            each.id for part in node.body if isinstance(part, ast.Assign) for each in part.targets if isinstance(each, ast.Name)
        )
    nodes = [each for statement in statements for each in walk(statement)]
    made = [each for each in nodes if isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id == "cls"]
    others.update(each.arg for call in made for each in call.keywords if each.arg)
    uses = whole.uses
    known = {name for name in ours if (uses.owners.get(name, set()) | uses.stored.get(name, set())) <= plain}
    return frozenset(known - others - texts_of_attributes(nodes))


def shortened(statements: Sequence[ast.stmt], names: frozenset[str]) -> None:
    """Gives these other names in the statements."""
    nodes = [each for statement in statements for each in walk(statement)]
    spelled = Counter(each.attr for each in nodes if isinstance(each, ast.Attribute))
    taken = {*spelled, *(each.arg for each in nodes if isinstance(each, ast.keyword) and each.arg)}
    taken |= {name for node in statements if isinstance(node, ast.ClassDef) for name in _defined(node)}
    often = sorted((name for name in names if len(name) > 1), key=lambda name: (-spelled[name], name))
    short = {name: new for name, new in zip(often, _free(taken), strict=False) if len(new) < len(name)}
    data = {node.name for node in statements if isinstance(node, ast.ClassDef) and is_dataclass(node)}
    for node in nodes:
        if isinstance(node, ast.Attribute):
            node.attr = short.get(node.attr, node.attr)
        elif isinstance(node, ast.Call) and (is_replace(node.func) or (isinstance(node.func, ast.Name) and node.func.id in data)):
            for each in node.keywords:
                each.arg = short.get(each.arg or "", each.arg)
    for node in statements:
        for each in node.body if isinstance(node, ast.ClassDef) else []:
            if isinstance(each, ast.FunctionDef):
                each.name = short.get(each.name, each.name)
            elif isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
                each.target.id = short.get(each.target.id, each.target.id)


def _free(taken: set[str]) -> Iterator[str]:
    """Names by length."""
    for length in itertools.count(1):
        for letters in itertools.product(string.ascii_letters, repeat=length):
            name = "".join(letters)
            if name not in taken and not keyword.iskeyword(name):
                yield name


def _is_plain(name: str, whole: Whole) -> bool:
    """Whether a class and all its bases are of this program."""
    bases = whole.nodes[name].bases
    return all(isinstance(each, ast.Name) and each.id in whole.nodes and _is_plain(each.id, whole) for each in bases)


def _defined(node: ast.ClassDef) -> set[str]:
    """The attributes that a class has by its text; those of its own namespace are taken for names that others use."""
    found = {each.attr for each in stores(node)}
    found |= {each.name for each in node.body if isinstance(each, ast.FunctionDef) and not each.name.startswith("__")}
    return found | {*declared(node)}
