"""One frozen configuration for a whole run; a recipe is a TOML file that sets some of its values.

Invariants: a Config that exists is valid as a whole, every problem is reported at once, and `to_dict` holds everything
that a run depends on. One module per section, its rules beside it; `root.py` holds the sections together.
"""

from pgolf_ref.config.attention import AttentionConfig
from pgolf_ref.config.block import BlockConfig
from pgolf_ref.config.curriculum import CurriculumConfig
from pgolf_ref.config.data import ORDERS, DataConfig
from pgolf_ref.config.embedding import EmbeddingConfig, HashConfig, HeadConfig
from pgolf_ref.config.evaluate import EvaluateConfig, LoRAConfig, TTTConfig
from pgolf_ref.config.export import CODECS, ExportConfig
from pgolf_ref.config.losses import LossConfig
from pgolf_ref.config.meta import MetaConfig
from pgolf_ref.config.model import ModelConfig
from pgolf_ref.config.optim import OptimConfig
from pgolf_ref.config.recipes import Recipe, load_recipe, read_recipe, recipe_names
from pgolf_ref.config.recurrence import RecurrenceConfig
from pgolf_ref.config.root import Config
from pgolf_ref.config.run import DEVICES, DTYPES, RunConfig
from pgolf_ref.config.stated import values_by_name
from pgolf_ref.config.tables import from_dict, to_dict

__all__ = [
    "CODECS",
    "DEVICES",
    "DTYPES",
    "ORDERS",
    "AttentionConfig",
    "BlockConfig",
    "Config",
    "CurriculumConfig",
    "DataConfig",
    "EmbeddingConfig",
    "EvaluateConfig",
    "ExportConfig",
    "HashConfig",
    "HeadConfig",
    "LoRAConfig",
    "LossConfig",
    "MetaConfig",
    "ModelConfig",
    "OptimConfig",
    "Recipe",
    "RecurrenceConfig",
    "RunConfig",
    "TTTConfig",
    "from_dict",
    "load_recipe",
    "read_recipe",
    "recipe_names",
    "to_dict",
    "values_by_name",
]
