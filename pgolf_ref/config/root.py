"""The whole configuration: the sections, and the rules between sections."""

from dataclasses import dataclass, field

from pgolf_ref.config import curriculum, data, evaluate, export, meta, model, optim, run
from pgolf_ref.config.checks import broken
from pgolf_ref.config.curriculum import CurriculumConfig
from pgolf_ref.config.data import DataConfig
from pgolf_ref.config.embedding import embedding_rules
from pgolf_ref.config.evaluate import EvaluateConfig, TTTConfig
from pgolf_ref.config.export import ExportConfig
from pgolf_ref.config.losses import LossConfig, loss_rules
from pgolf_ref.config.meta import MetaConfig
from pgolf_ref.config.model import ModelConfig
from pgolf_ref.config.optim import OptimConfig
from pgolf_ref.config.run import RunConfig
from pgolf_ref.config.stated import stated, values_by_name
from pgolf_ref.errors import ConfigError

SHORTEST = 1e-9  # seconds: a budget of 0 would be none


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
    curriculum: CurriculumConfig = field(default_factory=CurriculumConfig)
    meta: MetaConfig = field(default_factory=MetaConfig)

    @property
    def training_seconds(self) -> float:
        """The budget of the training loop: what calibration leaves of that of training; 0 = no limit."""
        return max(self.run.budget_seconds - self.export.reserve_seconds, SHORTEST) if self.run.budget_seconds else 0.0

    @property
    def stated(self) -> tuple[str, ...]:
        """A line for each value that differs from the defaults, but for what a script may be told: its log states that of the run."""
        given = (
            "run.seed_init",
            "run.seed_data",
            "run.steps",
            "run.budget_seconds",
            "data.path",
            "data.tokenizer",
            "optim.embedding_lr",
            "optim.scalar_lr",
        )
        return tuple(f"{name}: {value}" for name, value in values_by_name(stated(self)) if name not in given)

    def __post_init__(self) -> None:
        problems = problems_of(self)
        if problems:
            raise ConfigError(problems)


def problems_of(config: Config) -> list[str]:
    """Every rule that the configuration breaks: all values that are none, or else all that do not go together."""
    shape = config.model
    shortest = min(config.curriculum.lengths, default=config.data.seq_len)
    return [
        *model.problems(config.model),
        *data.problems(config.data),
        *optim.problems(config.optim),
        *run.problems(config.run),
        *export.problems(config.export),
        *evaluate.problems(config.evaluate),
        *evaluate.ttt_problems(config.ttt),
        *meta.problems(config.meta),
        *curriculum.problems(config.curriculum),
        *broken(embedding_rules(shape.embedding, shape.head, shape.dim, shortest)),
        *broken(loss_rules(config.losses, shape.vocab_size, shortest, shape.embedding.hash.rows)),
    ] or broken(_relations(config))


def _relations(config: Config) -> list[tuple[str, bool]]:
    """(what must hold, whether it holds) between values, of one section or of several."""
    shape, length = config.model, config.data.seq_len
    return [
        *model.model_rules(shape),
        *data.data_rules(config.data),
        *optim.optim_rules(config.optim, shape.layers),
        *curriculum.curriculum_rules(config.curriculum, length, config.data.slots),
        (
            "export.reserve_seconds must be less than run.budget_seconds",
            not config.run.budget_seconds or config.export.reserve_seconds < config.run.budget_seconds,
        ),
        ("meta.split random needs two rows in a slot of data.batch_tokens", not _split(config) or config.data.rows > 1),
        *evaluate.evaluation_rules(config.evaluate, config.ttt, length, shape),
    ]


def _split(config: Config) -> bool:
    """Whether meta-learning divides the rows of a slot."""
    return config.meta.every > 0 and config.meta.split == "random"
