"""The `nnpal data` commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from nnpal.cli.errors import in_words
from nnpal.runtime.caution import cautions_to_stderr

if TYPE_CHECKING:
    from nnpal.data import Keys, Units

app = typer.Typer(help="Datasets: convert, check, describe.", no_args_is_help=True)

EnergyUnit = Annotated[str | None, typer.Option(help="Of the files: eV, meV, hartree, rydberg, kcal/mol, kJ/mol.")]
LengthUnit = Annotated[str | None, typer.Option(help="Of the files: Å, bohr, nm.")]
StressUnit = Annotated[str | None, typer.Option(help="Of the files: GPa, kbar, bar, atm, Pa or ENERGY/LENGTH^3.")]
LammpsUnits = Annotated[str | None, typer.Option(help="Unit style of the LAMMPS run: metal, real or electron.")]
Symbols = Annotated[str | None, typer.Option(help="Ni,Al: elements of LAMMPS types; or C=Ni for wrong names.")]
EnergyKey = Annotated[str | None, typer.Option(help="Key of the energy, where it is not a usual one.")]
ForcesKey = Annotated[str | None, typer.Option(help="Key of the forces.")]
StressKey = Annotated[str | None, typer.Option(help="Key of the stress; '' leaves it out.")]
VirialKey = Annotated[str | None, typer.Option(help="Key of the virial.")]
VirialOrder = Annotated[str | None, typer.Option(help="Of six components: ase or lammps.")]
Format = Annotated[str | None, typer.Option(help="hdf5, extxyz, ase-db, lammps-dump or lammps-data.")]
MaxStress = Annotated[float, typer.Option(help="Largest component of the stress, eV/Å^3 (1 is 160 GPa).")]
Structures = Annotated[bool, typer.Option("--structures", help="Read bare structures, leave labels out.")]


@app.callback()
def main() -> None:
    """Datasets: convert, check, describe."""


@app.command()
def convert(
    files: Annotated[list[Path], typer.Argument(help="Files to read, and last the file to write: .h5, .xyz, .extxyz.")],
    energy_unit: EnergyUnit = None,
    length_unit: LengthUnit = None,
    stress_unit: StressUnit = None,
    lammps_units: LammpsUnits = None,
    symbols: Symbols = None,
    tag: Annotated[str | None, typer.Option(help="Group of these configurations in reports.")] = None,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
    virial_key: VirialKey = None,
    virial_order: VirialOrder = None,
    format: Format = None,
    max_stress: MaxStress = 1.0,
    structures: Structures = False,
) -> None:
    """Read files of any format and write one, in eV and Å."""
    from nnpal.data.convert import convert_files

    if len(files) < 2:
        _fail("convert", "expected files to read and one to write: nnpal data convert IN... OUT")
    try:
        written = convert_files(
            files[:-1],
            files[-1],
            units=_units(energy_unit, length_unit, stress_unit, lammps_units),
            symbols=_words(symbols),
            labeled=not structures,
            tag=tag,
            keys=_keys(energy_key, forces_key, stress_key, virial_key, virial_order),
            format=format,
            max_stress=max_stress,
        )
    except (OSError, ValueError) as error:
        _fail("convert", in_words(error))
    typer.echo(f"{files[-1]}: {written.n_frames} configurations, content hash {written.content_hash}")


@app.command()
def split(
    source: Annotated[Path, typer.Argument(help="Labeled configurations, nnpal's .h5.")],
    kept: Annotated[Path, typer.Argument(help="Dataset to write, to train on.")],
    held_out: Annotated[Path, typer.Argument(help="Dataset to write, that no training sees.")],
    fraction: Annotated[float, typer.Option(help="Share that is held out.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
) -> None:
    """Hold a random part of a dataset out, for `nnpal evaluate`; equal structures stay together."""
    from nnpal.data.divide import divide

    try:
        n_kept, n_out = divide(source, kept, held_out, fraction=fraction, seed=seed)
    except (OSError, ValueError) as error:
        _fail("split", in_words(error))
    typer.echo(f"{kept}: {n_kept} configurations; {held_out}: {n_out} held out")


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Files of any format; duplicates are sought across all of them.")],
    energy_unit: EnergyUnit = None,
    length_unit: LengthUnit = None,
    stress_unit: StressUnit = None,
    lammps_units: LammpsUnits = None,
    symbols: Symbols = None,
    elements: Annotated[str | None, typer.Option(help="Ni,Al: others are errors.")] = None,
    energy_spread: Annotated[float, typer.Option(help="Farthest from the composition's median, eV/atom.")] = 10.0,
    max_force: Annotated[float, typer.Option(help="Largest force, eV/Å.")] = 100.0,
    max_stress: MaxStress = 1.0,
    min_distance: Annotated[float, typer.Option(help="Shortest distance, Å.")] = 0.5,
    net_force: Annotated[float, typer.Option(help="Mean force that brings a warning, eV/Å.")] = 1e-3,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
    virial_key: VirialKey = None,
    virial_order: VirialOrder = None,
    format: Format = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print what is wrong with configurations, each with its index; exit code 1 where there are errors."""
    import dataclasses
    from json import dumps

    from nnpal.data import Limits
    from nnpal.data.check_files import check_files

    try:
        limits = Limits(
            energy_spread=energy_spread,
            max_force=max_force,
            max_stress=max_stress,
            min_distance=min_distance,
            net_force=net_force,
        )
        units = _units(energy_unit, length_unit, stress_unit, lammps_units)
        keys = _keys(energy_key, forces_key, stress_key, virial_key, virial_order)
        with cautions_to_stderr("nnpal data check"):
            found = check_files(
                files, limits, _words(elements), units=units, symbols=_words(symbols), keys=keys, format=format
            )
    except (OSError, ValueError) as error:
        _fail("check", in_words(error))
    errors = [finding for finding in found.findings if finding.severity == "error"]
    if json:
        rows = [
            {**dataclasses.asdict(f), "file": found.origins[f.index][0], "index_in_file": found.origins[f.index][1]}
            for f in found.findings
        ]
        typer.echo(dumps({"configurations": len(found.origins), "findings": rows}, indent=2, ensure_ascii=False))
    else:
        for f in found.findings:
            file, index = found.origins[f.index]
            typer.echo(f"{f} ({file}:{index})")
        n_warnings = len(found.findings) - len(errors)
        typer.echo(f"{len(found.origins)} configurations, {len(errors)} errors, {n_warnings} warnings")
    if errors:
        raise typer.Exit(1)


@app.command()
def info(
    file: Annotated[Path, typer.Argument(help="A file of any format.")],
    energy_unit: EnergyUnit = None,
    length_unit: LengthUnit = None,
    stress_unit: StressUnit = None,
    lammps_units: LammpsUnits = None,
    symbols: Symbols = None,
    virial_order: VirialOrder = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Print what a dataset holds: counts, formulas, ranges, units, hash, provenance."""
    from json import dumps

    from nnpal.data.convert import describe

    try:
        units = _units(energy_unit, length_unit, stress_unit, lammps_units)
        said = describe(file, units=units, symbols=_words(symbols), keys=_keys(None, None, None, None, virial_order))
    except (OSError, ValueError) as error:
        _fail("info", in_words(error))
    if json:
        typer.echo(dumps(said, indent=2, ensure_ascii=False))
        return
    _print(said)


def _print(said: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in said.items():
        table.add_row(key.replace("_", " "), _in_words(value))
    Console().print(table, highlight=False, markup=False)


def _in_words(value: object) -> str:
    """Write a value for people: lists with commas, dictionaries on a line where they are short."""
    if isinstance(value, dict):
        rows = [f"{key}: {_in_words(item)}" for key, item in list(value.items())[:20]]
        more = [f"... and {len(value) - 20} more"] if len(value) > 20 else []
        return "\n".join(rows + more) or "-"
    if isinstance(value, list):
        return ", ".join(map(_in_words, value))
    if isinstance(value, float):
        return f"{value:.6g}"
    return "-" if value is None else str(value)


def _units(energy: str | None, length: str | None, stress: str | None, style: str | None) -> Units | None:
    from nnpal.data import Units

    if style is not None:
        if energy or length or stress:
            raise ValueError(
                "--lammps-units and --energy-unit, --length-unit, --stress-unit: expected one or the other"
            )
        return Units.lammps(style)
    if energy is None and length is None and stress is None:
        return None
    if energy is None or length is None:
        raise ValueError("--energy-unit and --length-unit: expected both")
    return Units(energy, length, stress=stress or "")


def _keys(energy: str | None, forces: str | None, stress: str | None, virial: str | None, order: str | None) -> Keys:
    from nnpal.data import Keys

    return Keys(energy, forces, stress, virial, order)  # type: ignore[arg-type] # Keys refuses other words


def _words(text: str | None) -> list[str] | None:
    return None if text is None else text.replace(",", " ").split()


def _fail(command: str, message: str) -> NoReturn:
    typer.echo(f"nnpal data {command}: {message}", err=True)
    raise typer.Exit(1)
