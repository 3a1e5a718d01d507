"""How a bundle is made: names, text that nobody reads, what a configuration decides, and what nothing names."""

import ast

import pytest

from pgolf_ref.bundle.fold import Fold
from pgolf_ref.bundle.inline import inlined
from pgolf_ref.bundle.kinds import Classes
from pgolf_ref.bundle.modules import Definition, Package
from pgolf_ref.bundle.names import named
from pgolf_ref.bundle.prune import pruned
from pgolf_ref.bundle.scopes import GlobalNames
from pgolf_ref.bundle.specialise import Specialiser
from pgolf_ref.bundle.strip import stripped
from pgolf_ref.config import Config, load_recipe

PLAIN = Package(lambda tree, constants: tree)


def written(text: str) -> str:
    return ast.unparse(ast.parse(text))


def folded(text: str) -> str:
    return ast.unparse(ast.fix_missing_locations(Fold().visit(ast.parse(text))))


def specialised(text: str, config: Config, *others: str, **constants: str) -> str:
    """A module for a configuration, beside others."""
    trees = [ast.parse(each) for each in (text, *others)]
    known = {name: ast.parse(value, mode="eval").body for name, value in constants.items()}
    return ast.unparse(ast.fix_missing_locations(Specialiser(config, Classes.of(trees))(trees[0], known)))


SCOPED = """
def f(a, b=g):
    def h(): return f, g, a
    return [g for g in g for x in g if x] + [g], lambda g: g, {f: k for k in g}
class C(g):
    g = g
    def m(self): return g
    try: g
    except g as e: e, g
@g
def d(g): return g
def i():
    import f
    g = 1
    with f as (x, g): return f, g, C
"""
RENAMED = '''
def F(a, b=G):
    def h(): return (F, G, a)
    return ([g for g in G for x in g if x] + [G], lambda g: g, {F: k for k in G})
class K(G):
    g = g
    def m(self): return G
    try: g
    except g as e: (e, g)
@G
def d(g): return g
def i():
    import f
    g = 1
    with f as (x, g): return (f, g, K)
'''  # fmt: skip


def test_global_names_are_told_from_local_ones() -> None:
    new = {"f": "F", "g": "G", "C": "K"}
    tree = GlobalNames(
        lambda node: ast.Name(new[node.id], node.ctx) if isinstance(node, ast.Name) and node.id in new else None
    ).visit(ast.parse(SCOPED))
    assert ast.unparse(ast.fix_missing_locations(tree)) == ast.unparse(ast.parse(RENAMED))


@pytest.mark.parametrize(
    "form", ["def f():\n global x", "async def f(): pass\nasync def g(): await f()", "def f(x):\n match x:\n  case y: pass"]
)
def test_forms_whose_names_are_not_known_are_refused(form: str) -> None:
    with pytest.raises(TypeError, match="none of the forms"):
        GlobalNames(lambda node: None).visit(ast.parse("def outer():\n" + "\n".join(f" {line}" for line in form.splitlines())))


def test_what_only_people_read_is_taken_out() -> None:
    text = '"""M."""\nx: int = 1\ny: int\n"""X."""\ndef f(a: int, *b: str) -> int:\n  """F."""\n  z: int = a\n  return z\n'
    text += "@dataclass(frozen=True)\nclass D:\n  '''D.'''\n  v: int\n  w: float = 1\n  def m(self) -> int:\n    '''only this'''\n"
    kept = "x = 1\ndef f(a, *b):\n z = a\n return z\n@dataclass(frozen=True)\nclass D:\n v: 0\n w: 0 = 1\n def m(self):\n  pass"
    assert ast.unparse(ast.Module(stripped(ast.parse(text).body), [])) == ast.unparse(ast.parse(kept))


def test_names_of_one_spelling_get_their_module() -> None:
    """`problems` is defined by most sections of the configuration."""
    entries = [Definition(f"pgolf_ref.config.{name}", "problems") for name in ("run", "data", "meta")]
    text = ast.unparse(named(stripped(inlined(entries, PLAIN))))
    found: dict[str, object] = {}
    exec(text, found)
    names = [name for name in found if name.startswith("problems")]
    assert len(names) == 3
    assert [found[name](section) for name, section in zip(sorted(names), _sections(sorted(names)), strict=True)] == [[], [], []]


def _sections(names: list[str]) -> list[object]:
    config = Config()
    return [config.meta if name.endswith("meta") else config.data if name.endswith("data") else config.run for name in names]


FOLDED = [
    ("if 0: a()\nelif 'x' == 'y': b()\nelse: c()", "c()"),
    ("def f():\n if not (): return 1\n return 2", "def f():\n return 1"),
    ("def f():\n if a and None is not None: b()", "def f():\n pass"),
    ("def f():\n if a() and False: b()", "def f():\n if a() and False: b()"),
    ("x = a if 'u' in ('u', 'v') else b", "x = a"),
    ("x = 0.0 or a; y = 2 and a and 3", "x = a; y = a and 3"),
    ("x = a and True; y = a or None or 5 or b", "x = a and True; y = a or 5"),
    ("x = len(('p', 'q')) * -2; y = 7 // 0; z = -0.5 ** 2; u = '=' * 9", "x = -4; y = 7 // 0; z = -0.25; u = '=' * 9"),
    ("for x in (): a()\nfor x in []: a()", "for x in []: a()"),
    ("while b:\n continue\n a()", "while b:\n continue"),
    ("x = [1, 2][0]; y = max(1, a); z = float('inf'); u = open('x')", "x = 1; y = max(1, a); z = float('inf'); u = open('x')"),
]


@pytest.mark.parametrize(("text", "wanted"), FOLDED)
def test_what_literals_decide_is_decided(text: str, wanted: str) -> None:
    assert folded(text) == written(wanted)


SHAPES = """
class Part:
    def __init__(self, config: ModelConfig, other):
        self.config, self.off = config, Gone() if config.tied is False else None
        self.varies = None
        a = config.attention
        self.scale = a.q_gain
        b = config
        b = other
        self.b = b.dim
    def forward(self, dim):
        if self.off is not None: dim = self.off(dim)
        if self.varies is not None: dim = self.varies(dim)
        return dim + self.config.dim + self.config.head_dim, self.config.block.activation in KINDS, TABLE[self.config.block.activation]
def outer(config, part: "Part"):
    part.varies = config.dim
    return [config.dim for config in config] + [part.config.layers for x in part]
"""
KNOWN = """
class Part:
    def __init__(self, config, other):
        self.config, self.off = config, None
        self.varies = None
        a = config.attention
        self.scale = 1.5
        b = config
        b = other
        self.b = b.dim
    def forward(self, dim):
        if self.varies is not None: dim = self.varies(dim)
        return dim + 512 + 64, True, square
def outer(config, part):
    part.varies = config.dim
    return [config.dim for config in config] + [9 for x in part]
"""


def test_fields_become_their_values_where_the_object_is_known_to_be_the_configuration() -> None:
    fields = "class ModelConfig:\n attention: AttentionConfig\n block: BlockConfig\nclass AttentionConfig: 0\nclass BlockConfig: 0"
    found = specialised(SHAPES, Config(), fields, KINDS="('relu', 'relu2')", TABLE="{'relu2': square}")
    assert ast.unparse(ast.Module(stripped(ast.parse(found).body), [])) == written(KNOWN)


@pytest.mark.parametrize(
    "text",
    [
        "def f(run: RunConfig, data: DataConfig): return run.seed_init, run.seed_data, data.path",  # of the command line
        "def f(config: ModelConfig):\n config = other()\n return config.dim",
        "def f(config: ModelConfig): return lambda config: config.dim",
        "def f():\n x = 1\n x += 1\n return x",
        "def f():\n x = []\n x.append(1)\n return x",
        "def f(a=x):\n x = 1\n return a",
        "class A:\n x = 2\n def f(self):\n  self.x = None\n def g(self): return self.x",
        "class A:\n def f(self): self.x = None\n def g(self): return self.x\nclass B(A):\n def f(self): self.x = 3",
        "class A:\n def f(self): self.x = None\n def g(self): return self.x\ndef h(a):\n a.x = 3",
    ],
)
def test_what_may_change_stays(text: str) -> None:
    sections = "class RunConfig: 0\nclass DataConfig: 0\nclass ModelConfig: 0"
    assert specialised(text, Config(), sections) == written(text)


def test_bits_that_gradients_change_are_not_known() -> None:
    text = "def f(export: ExportConfig): return export.bits"
    assert specialised(text, Config(), "class ExportConfig: 0") == written("def f(export: ExportConfig): return ()")
    guided = load_recipe("naive", ["export.fit=bits"])
    assert guided.export.guided and specialised(text, guided, "class ExportConfig: 0") == written(text)


def test_methods_that_nothing_names_are_left_out_with_what_they_alone_need() -> None:
    text = """
class A(M):
    limit = b()
    def __init__(self): self.used()
    def used(self): return getattr(self, "by_text")
    def by_text(self): return d()
    def forward(self): pass
    def unused(self): return self.chain(), c()
    def chain(self): return 1
def b(): pass
def c(): pass
def d(): pass
class M: pass
main = A
"""
    kept = text.replace("    def unused(self): return self.chain(), c()\n    def chain(self): return 1\n", "")
    kept = kept.replace("def c(): pass\n", "")
    assert ast.unparse(ast.Module(pruned(ast.parse(text).body, ["main"]), [])) == written(kept)


def test_a_relative_may_change_an_attribute() -> None:
    base = "class A:\n def f(self): self.x = None\n"
    own = "class B(A):\n def g(self): self.y = None\n def h(self): return self.y"
    assert specialised(base + own, Config()) == written(base + own.replace("return self.y", "return None"))
    other = "class C(A):\n def f(self): self.y = 1\n"
    assert specialised(base + other + own, Config()) == written(base + other + own)
