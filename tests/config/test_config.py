"""The configuration file: every error names file, key, value and what is allowed; `nnpal schema` prints all of it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from nnpal.cli.app import app
from nnpal.cli.document import Config, needed, read_config
from nnpal.config import ConfigError, validated

GOOD = """
[data]
train = ["a.h5", {path = "b.extxyz", units = "eV Å"}]

[network]
aev = "ani2x"
hidden = {H = [16, 8], C = [24]}

[ensemble]
members = 3
seeds = [1, 2, 3]
"""


def test_a_good_file(tmp_path):
    (tmp_path / "c.toml").write_text(GOOD)
    config = read_config(tmp_path / "c.toml")
    assert config.ensemble.seeds == (1, 2, 3)
    assert config.network.hidden == {"H": (16, 8), "C": (24,)}
    assert config.data.train[1].units == "eV Å"
    assert config.loss.force_weight == 0.1
    assert config.training.batch_size == 16
    assert config.training.optimizer == "soap"
    assert config.ensemble.validation_fraction == 0.2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[training]\nbatch_sise = 3\n", r"c\.toml: training\.batch_sise: unknown key; did you mean batch_size\?"),
        ("[trainin]\n", r"c\.toml: trainin: unknown key; did you mean training\?"),
        ("[training]\nbatch_size = 0\n", r"c\.toml: training\.batch_size = 0: input should be greater than 0"),
        ('[training]\nbatch_size = "8"\n', r"training\.batch_size = '8': input should be a valid integer"),
        ("[training]\nlearning_rate = nan\n", r"training\.learning_rate"),
        ('[training]\ndtype = "half"\n', r"training\.dtype = 'half': input should be 'float32' or 'float64'"),
        ("[ensemble]\nmembers = 2\nseeds = [1]\n", r"^\S*c\.toml: \[ensemble\]: seeds are 1, but members = 2"),
        ("[network]\nhidden = []\n", r"network\.hidden"),
        ("[network]\nhidden = [0]\n", r"^\S*c\.toml: network\.hidden\.0 = 0: input should be greater than 0$"),
        ("[network]\nhidden = {H = [0]}\n", r"^\S*c\.toml: network\.hidden\.H\.0 = 0: input should be greater than 0$"),
        (
            "[network]\nhidden = 3\n",
            r"c\.toml: network\.hidden = 3: input should be 'ani1x' or 'ani2x', or .* a list, or .* a table$",
        ),
        (  # not "should have at least 1 item" besides
            '[data]\ntrain = [{path = "a.xyz", unit = "eV Å"}]\n',
            r"^\S*c\.toml: data\.train\.0\.unit: unknown key; did you mean units\?[^\n]*$",
        ),
        (
            '[network]\nkind = "schnet"\nhidden = [8]\naev = "ani2x"\n',
            r"^\S*c\.toml: \[network\]: aev, hidden: for kind = 'ani' only, but kind is 'schnet', whose keys are "
            r"features, .*; remove aev, or set kind = 'ani'$",
        ),
        (
            "[network]\ncutoff = 5.0\n",
            r"c\.toml: \[network\]: cutoff: for kind = 'schnet' only, but kind is 'ani', .* or set kind = 'schnet'$",
        ),
        (
            '[network]\nkind = "schnet"\nfeatures = 1\n',
            r"network\.features = 1: input should be greater than or equal to 2",
        ),
        ('[network]\nkind = "mace"\n', r"network\.kind = 'mace': input should be 'ani' or 'schnet'"),
        ('[network]\nelements = ["Xx"]\n', r"network\.elements = \['Xx'\]: Xx is not a chemical element"),
        ("[data]\ntrain = []\n", r"data\.train = \[\]"),
        ("[data]\n", r"data\.train: missing"),
        ('[data]\ntrain = [{path = "a.xyz", units = "eW Å"}]\n', r"data\.train\.0.*units = 'eW Å'"),
        ("[data]\ntrain = 2020-01-01\n", r"is a date; expected a number"),
        ("[data\n", r"c\.toml: not TOML"),
    ],
)
def test_errors_name_file_key_value_and_what_is_allowed(tmp_path, text, message):
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_config(tmp_path / "c.toml")


def test_all_errors_are_told_at_once(tmp_path):
    (tmp_path / "c.toml").write_text("[training]\nbatch_size = 0\nmax_epochs = 0\n")
    with pytest.raises(ConfigError) as caught:
        read_config(tmp_path / "c.toml")
    assert len(str(caught.value).splitlines()) == 2


def test_a_file_that_is_not_there_and_a_table_that_is_needed(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml: No such file"):
        read_config(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match=r"no table \[data\]"):
        needed(validated({}, Config, source="c.toml").data, "data", "c.toml")


def test_schema_prints_every_key_and_loads_as_json():
    done = CliRunner().invoke(app, ["schema"])
    assert done.exit_code == 0
    for name, field in Config.model_fields.items():
        assert f"[{name}]" in done.output
        assert field.description
    assert "batch_size = 16  # integer (> 0): number of configurations per update" in done.output
    properties = json.loads(CliRunner().invoke(app, ["schema", "--json"]).output)["properties"]
    assert set(properties) == set(Config.model_fields)


def test_schema_of_one_table():
    output = CliRunner().invoke(app, ["schema", "loss"]).output
    assert output.startswith("[loss]")
    assert "force_weight = 0.1" in output
    assert "[training]" not in output
    wrong = CliRunner().invoke(app, ["schema", "los"])
    assert wrong.exit_code == 1
    assert "did you mean loss?" in wrong.output
