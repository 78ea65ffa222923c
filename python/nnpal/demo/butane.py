"""The demo butane: a small rare-event workflow, from the first labels to an activation energy."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from nnpal.active_learning.engine.engine import Outcome
from nnpal.active_learning.run import run
from nnpal.active_learning.shared.report_page import MODEL_OF_RUN, PAGE
from nnpal.active_learning.shared.train_progress import shown_on
from nnpal.runtime.files import write_whole
from nnpal.runtime.places import require_folder

if TYPE_CHECKING:
    from nnpal.active_learning.rare_events.facts import Iteration

CONFIG, STRUCTURE = "butane.toml", "butane.xyz"


def run_butane(output_dir: Path, console: Console, seed: int | None = None) -> Outcome:
    """Write the configuration file, unless it exists, and run it; an existing run is resumed.

    Arguments:
        output_dir: output folder, created if it does not exist.
        console: console for progress and results.
        seed: random seed of a new configuration file; None: the default. An existing file keeps its seed.

    Raises:
        nnpal.active_learning.engine.error.LoopError: see :func:`nnpal.active_learning.engine.engine.run_loop`.
    """
    require_folder("--output", output_dir)
    output_dir.mkdir(parents=True, exist_ok=True)
    for name in (CONFIG, STRUCTURE):
        text = files("nnpal.demo").joinpath(name).read_text()
        if name == CONFIG and seed is not None:
            text = text.replace("seed = 1\n", f"seed = {seed}\n")
        path = output_dir / name
        if not path.exists():
            write_whole(path, text.encode())
        elif path.read_text() != text:
            console.print(f"{path}: exists already and is used", markup=False, highlight=False)
    outcome = run(
        output_dir / CONFIG,
        log=lambda line: console.print(line, markup=False, highlight=False),
        watch=shown_on(console),
    )
    folder = output_dir / "run"
    if outcome.state == "finished":
        console.print(_energies(folder))
        console.print(_last_energy(folder), markup=False, highlight=False, soft_wrap=True)
        console.print(f"{outcome.reason}", markup=False, highlight=False)
        console.print(f"report: {folder / PAGE}\nmodel:  {folder / MODEL_OF_RUN}", markup=False, highlight=False)
    return outcome


def _energies(folder: Path) -> Table:
    """Return a table of activation energies of all iterations and of the oracle, as means over pulls with intervals."""
    from nnpal.active_learning.rare_events.judge import differences, energies_of, oracle_energies
    from nnpal.active_learning.rare_events.loop import finished_iterations

    history = finished_iterations(folder)
    [(rate, oracle)] = (oracle_energies(history) or {}).items()
    table = Table(title=f"Activation energy of C-C breaking in n-butane, pulled at {rate} Å/ps")
    for column in ("iteration", "labels", "pulls", "E_a (eV)", "error (kcal/mol)", "95 % interval"):
        table.add_column(column, justify="right")
    for iteration, done in enumerate(history):
        value, found = energies_of(done)[rate], differences(history, done)[rate]
        shown = ("", "ended early", "", "")
        if value is not None and found is not None:
            interval = found.interval()
            ends = "one pull" if interval is None else f"{interval[0]:+.2f} to {interval[1]:+.2f}"
            shown = (str(found.n), f"{value:.3f}{_members(done, rate)}", f"{found.mean:+.2f}", ends)
        table.add_row(str(iteration), str(done.train.n_data), *shown)
    table.add_row("oracle", "", "", "" if oracle is None else f"{oracle:.3f}", "", "")
    return table


def _members(done: Iteration, rate: str) -> str:
    """Return ` ± ERROR`, eV, the error bar from the members; an empty string if there is none."""
    from nnpal.active_learning.rare_events.judge import error_bar_of

    error = error_bar_of(done, rate).of_members
    return "" if error is None else f" ± {error:.3f}"


def _last_energy(folder: Path) -> str:
    """Return `E_a = x ± y (statistical) ± z (members) eV` of the last iteration."""
    from nnpal.active_learning.rare_events.judge import energies_of, error_bar_of
    from nnpal.active_learning.rare_events.loop import finished_iterations

    last = finished_iterations(folder)[-1]
    [(rate, value)] = energies_of(last).items()
    if value is None:
        return "E_a: none, because the last pull ended early"
    bar = error_bar_of(last, rate)
    bars = [(bar.statistical, "statistical"), (bar.of_members, "members")]
    text = "".join(f" ± {error:.3f} ({name})" for error, name in bars if error is not None)
    one_pull = "" if bar.statistical is not None else "; of one pull, so without a statistical error"
    return f"E_a = {value:.3f}{text} eV{one_pull}"
