"""The configuration file: one TOML file, a table for each stage."""

from nnpal.config.section import Section
from nnpal.config.toml import ConfigError, read_toml, validated

__all__ = ["ConfigError", "Section", "read_toml", "validated"]
