"""The configuration file: a TOML file with one table per stage."""

from nnpal.config.section import Section
from nnpal.config.toml import ConfigError, read_toml, validated

__all__ = ["ConfigError", "Section", "read_toml", "validated"]
