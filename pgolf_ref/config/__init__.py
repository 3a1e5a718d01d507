"""One frozen configuration for a whole run; a recipe is a TOML file that sets some of its values.

Invariants: a Config that exists is valid as a whole, every problem is reported at once, and `to_dict` holds everything
that a run depends on.
"""

import dataclasses
import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, get_args, get_origin

from pgolf_ref.config.embedding import EmbeddingConfig, HeadConfig, embedding_rules
from pgolf_ref.config.losses import LossConfig, loss_rules
from pgolf_ref.errors import ConfigError, UserError

DTYPES = ("float32", "bfloat16", "float64")
DEVICES = ("auto", "cpu", "cuda")
CODECS = ("brotli", "zstd", "lzma")
ORDERS = ("shuffled", "sequential", "coprime", "documents")


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Shape of the transformer; the defaults are the official baseline."""

    vocab_size: int = 1024
    layers: int = 9
    dim: int = 512
    heads: int = 8
    kv_heads: int = 4
    mlp_mult: int = 2
    rope_base: float = 10_000.0
    q_gain: float = 1.5  # initial gain of each query head, after QK normalisation
    softcap: float = 30.0  # logits lie in (-softcap, softcap)
    tied: bool = True  # the output projection is the embedding
    embedding_std: float = 0.005
    ternary_group: int = 0  # columns that share a scale where the matrices of blocks are ternary; 0 = real numbers
    embedding: EmbeddingConfig = field(default_factory=EmbeddingConfig)
    head: HeadConfig = field(default_factory=HeadConfig)

    @property
    def head_dim(self) -> int:
        return self.dim // self.heads


@dataclass(frozen=True, slots=True)
class DataConfig:
    """Where the shards are and how they are cut; a step reads `batch_tokens` tokens in `slots` equal micro-batches."""

    path: str = "data"  # folder of the shards, the tokenizer and the edition
    seq_len: int = 1024
    batch_tokens: int = 524_288
    order: str = "shuffled"  # of the windows: shuffled, sequential, coprime, or documents (packed)
    slots: int = 8  # divisible by the number of ranks; gradients do not depend on how many ranks share them

    @property
    def rows(self) -> int:
        """Sequences in one slot."""
        return self.batch_tokens // (self.slots * self.seq_len)


@dataclass(frozen=True, slots=True)
class OptimConfig:
    """Learning rates per parameter group; lengths of schedules are fractions of the run."""

    embedding_lr: float = 0.05
    head_lr: float = 0.008
    matrix_lr: float = 0.04
    scalar_lr: float = 0.04
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    momentum: float = 0.95
    momentum_start: float = 0.85
    momentum_warmup: float = 0.036
    newton_schulz_steps: int = 5
    warmdown: float = 0.087
    min_lr: float = 0.0  # floor of the warm-down, relative to the full rate
    clip_norm: float = 0.0  # global gradient norm; 0 = no clipping
    ema_horizon: float = 0.0  # time constant of the weight average; 0 = no average


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Length, seeds and machine of a training run."""

    steps: int = 20_000
    budget_seconds: float = 600.0  # of training; 0 = no limit
    seed_init: int = 1337
    seed_data: int = 1337
    dtype: str = "float32"  # of activations; parameters are float32, or float64 with "float64"
    device: str = "auto"
    compile: bool = False
    warmup_steps: int = 0  # untimed steps that prime compilation; their effect is undone
    log_every: int = 200
    validate_every: int = 0  # 0 = only at the end


@dataclass(frozen=True, slots=True)
class ExportConfig:
    """How the weights become an artifact."""

    matrix_bits: int = 8
    embedding_bits: int = 8
    float8: bool = False  # 8-bit floats (e4m3) instead of integers
    codec: str = "brotli"
    cap_bytes: int = 16_000_000  # code + artifact


@dataclass(frozen=True, slots=True)
class EvaluateConfig:
    """How the artifact is scored."""

    stride: int = 1024  # new targets per window; data.seq_len = disjoint chunks, less = sliding
    batch_windows: int = 32
    budget_seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class TTTConfig:
    """Score-first test-time training: each chunk is scored, then trained on."""

    epochs: int = 0  # 0 = no test-time training
    lr: float = 0.002
    momentum: float = 0.9
    clip_norm: float = 1.0
    hash_rows: int = 0  # of a bigram table of zeros that test-time training alone fills; 0 = none
    chunk_tokens: int = 32_768
    batch_rows: int = 16


@dataclass(frozen=True, slots=True)
class Config:
    """Everything a run depends on."""

    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    run: RunConfig = field(default_factory=RunConfig)
    export: ExportConfig = field(default_factory=ExportConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    ttt: TTTConfig = field(default_factory=TTTConfig)
    losses: LossConfig = field(default_factory=LossConfig)

    def __post_init__(self) -> None:
        problems = _problems(self)
        if problems:
            raise ConfigError(problems)


def to_dict(config: Config) -> dict[str, dict[str, Any]]:
    """Plain tables of plain values, in declaration order."""
    return dataclasses.asdict(config)


def values_by_name(tables: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value under its dotted name, such as model.embedding.dim."""
    for name, value in tables.items():
        if isinstance(value, Mapping):
            yield from values_by_name(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def from_dict(tables: Mapping[str, Any]) -> Config:
    """The configuration that `tables` describe; missing values keep their defaults, unknown or ill-typed ones are refused."""
    problems: list[str] = []
    sections: dict[str, Any] = {}
    kinds = {f.name: f.default_factory for f in dataclasses.fields(Config)}
    for name, table in tables.items():
        if name not in kinds:
            problems.append(_unknown(name, kinds, "table"))
        elif not isinstance(table, Mapping):
            problems.append(f"{name} must be a table of values, not {table!r}")
        else:
            sections[name] = kinds[name](**_typed(name, table, kinds[name], problems))  # type: ignore[operator,misc]
    if problems:
        raise ConfigError(problems)
    return Config(**sections)


def load_recipe(name_or_path: str, overrides: Sequence[str] = ()) -> Config:
    """The recipe shipped under this name, or the TOML file at this path, with overrides such as `optim.matrix_lr=0.03`."""
    tables = _read_recipe(name_or_path)
    problems = []
    for override in overrides:
        key, equals, text = override.partition("=")
        *path, value_name = key.strip().split(".")
        if not (equals and path and value_name):
            problems.append(f"override {override!r} must read table.name=value, such as run.steps=100")
        else:
            table = tables
            for part in path:
                if not isinstance(table.get(part), dict):
                    table[part] = {}
                table = table[part]
            table[value_name] = _literal(text.strip())
    if problems:
        raise ConfigError(problems)
    return from_dict(tables)


def recipe_names() -> tuple[str, ...]:
    """Names of the shipped recipes, sorted."""
    folder = resources.files("pgolf_ref") / "recipes"
    return tuple(sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml")))


def _read_recipe(name_or_path: str) -> dict[str, Any]:
    if name_or_path in recipe_names():
        source = resources.files("pgolf_ref") / "recipes" / f"{name_or_path}.toml"
    elif name_or_path.endswith(".toml") and Path(name_or_path).is_file():
        source = Path(name_or_path)
    else:
        raise UserError(f"no recipe {name_or_path!r}: give one of {', '.join(recipe_names())} or the path of a .toml file")
    try:
        return tomllib.loads(source.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"recipe {name_or_path} is not valid TOML: {error}") from error


def _literal(text: str) -> Any:
    """A TOML value, or the text itself where it is none (so that strings need no quotes in a shell)."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _typed(section: str, table: Mapping[str, Any], kind: Any, problems: list[str]) -> dict[str, Any]:
    fields = {f.name: f.type for f in dataclasses.fields(kind)}
    values = {}
    for name, value in table.items():
        if name not in fields:
            problems.append(_unknown(f"{section}.{name}", [f"{section}.{known}" for known in fields], "value"))
            continue
        try:
            values[name] = _value(f"{section}.{name}", value, fields[name], problems)
        except TypeError:
            problems.append(f"{section}.{name} must be {_in_words(fields[name])}, not {value!r}")
    return values


def _value(name: str, value: Any, wanted: Any, problems: list[str]) -> Any:
    """`value` as the type that a field declares; TypeError where it is of another."""
    if dataclasses.is_dataclass(wanted) and isinstance(value, Mapping):
        return wanted(**_typed(name, value, wanted, problems))  # type: ignore[operator]
    if get_origin(wanted) is tuple and isinstance(value, list | tuple):
        return tuple(_value(name, item, get_args(wanted)[0], problems) for item in value)
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted:
        raise TypeError
    return value


def _in_words(wanted: Any) -> str:
    if dataclasses.is_dataclass(wanted):
        return "a table of values"
    if get_origin(wanted) is tuple:
        return f"a list of type {get_args(wanted)[0].__name__}"
    return f"of type {wanted.__name__}"


def _unknown(name: str, known: Any, what: str) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"unknown {what} {name!r}" + (f" (did you mean {near[0]}?)" if near else "")


def _problems(config: Config) -> list[str]:
    """Every rule that the configuration breaks; the rules read as `what must hold`."""
    model, data, optim, run, evaluate, ttt = config.model, config.data, config.optim, config.run, config.evaluate, config.ttt
    rules = [(f"{section}.{name} must be {what}", holds) for section, name, what, holds in _ranges(config)]
    if all(holds for _, holds in rules):
        unit = data.slots * data.seq_len
        rules += [
            (f"model.dim ({model.dim}) must be a multiple of model.heads ({model.heads})", model.dim % model.heads == 0),
            ("model.heads must be a multiple of model.kv_heads", model.heads % model.kv_heads == 0),
            ("the head dimension model.dim / model.heads must be even", model.head_dim % 2 == 0),
            (
                f"data.batch_tokens ({data.batch_tokens}) must be a multiple of data.slots * data.seq_len ({unit})",
                data.batch_tokens % unit == 0,
            ),
            ("evaluate.stride must be at most data.seq_len", evaluate.stride <= data.seq_len),
            ("ttt.chunk_tokens must be a multiple of evaluate.stride", ttt.epochs == 0 or ttt.chunk_tokens % evaluate.stride == 0),
            ("run.dtype must be one of " + ", ".join(DTYPES), run.dtype in DTYPES),
            ("run.device must be one of " + ", ".join(DEVICES), run.device in DEVICES),
            ("data.order must be one of " + ", ".join(ORDERS), data.order in ORDERS),
            ("model.ternary_group must be 0 or more", model.ternary_group >= 0),
            (
                "model.embedding.cooccurrence_qk sets real numbers: model.ternary_group must be 0",
                not (model.ternary_group and model.embedding.cooccurrence_qk),
            ),
            ("export.codec must be one of " + ", ".join(CODECS), config.export.codec in CODECS),
            ("optim.momentum_start must be at most optim.momentum", optim.momentum_start <= optim.momentum),
        ]
    rules += embedding_rules(model.embedding, model.head, model.dim, data.seq_len)
    rules += loss_rules(config.losses, model.vocab_size, data.seq_len, model.embedding.hash.rows)
    return [message for message, holds in rules if not holds]


def _ranges(config: Config) -> list[tuple[str, str, str, bool]]:
    """(section, name, range in words, holds) for every number."""
    positive = {
        "model": ("vocab_size", "layers", "dim", "heads", "kv_heads", "mlp_mult", "rope_base", "softcap", "embedding_std"),
        "data": ("seq_len", "batch_tokens", "slots"),
        "optim": ("eps", "newton_schulz_steps"),
        "run": ("steps", "log_every"),
        "export": ("cap_bytes",),
        "evaluate": ("stride", "batch_windows", "budget_seconds"),
        "ttt": ("chunk_tokens", "batch_rows"),
    }
    not_negative = {
        "optim": ("embedding_lr", "head_lr", "matrix_lr", "scalar_lr", "clip_norm"),
        "run": ("budget_seconds", "seed_init", "seed_data", "warmup_steps", "validate_every"),
        "ttt": ("epochs", "lr", "clip_norm"),
    }
    below_one: dict[str, tuple[str, ...]] = {
        "optim": ("beta1", "beta2", "momentum", "momentum_start", "ema_horizon"),
        "ttt": ("momentum",),
    }
    fraction: dict[str, tuple[str, ...]] = {"optim": ("momentum_warmup", "warmdown", "min_lr")}
    checks: list[tuple[dict[str, tuple[str, ...]], str, Any]] = [
        (positive, "positive", lambda value: value > 0),
        (not_negative, "0 or more", lambda value: value >= 0),
        (below_one, "in [0, 1)", lambda value: 0 <= value < 1),
        (fraction, "in [0, 1]", lambda value: 0 <= value <= 1),
        ({"export": ("matrix_bits", "embedding_bits")}, "from 2 to 8", lambda value: 2 <= value <= 8),
        ({"model": ("vocab_size",)}, "at most 65536 (tokens are stored as uint16)", lambda value: value <= 65_536),
    ]
    tables = to_dict(config)
    return [
        (section, name, what, holds(tables[section][name]))
        for names_of, what, holds in checks
        for section, names in names_of.items()
        for name in names
    ]
