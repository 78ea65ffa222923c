"""The configuration file: one TOML file, a table for each stage."""

from nnpal.config.base import Section
from nnpal.config.load import ConfigError, read_toml, validated

__all__ = ["ConfigError", "Section", "read_toml", "validated"]
