"""The `nnpal data` commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from nnpal.cli.errors import in_words
from nnpal.cli.facts import print_facts
from nnpal.runtime.caution import cautions_to_stderr

if TYPE_CHECKING:
    from nnpal.data import Keys, Units

app = typer.Typer(help="Convert, split, check and describe datasets.", no_args_is_help=True)

EnergyUnit = Annotated[
    str | None, typer.Option(help="Energy unit of the files: eV, meV, hartree, rydberg, kcal/mol or kJ/mol.")
]
LengthUnit = Annotated[str | None, typer.Option(help="Length unit of the files: Å, bohr or nm.")]
StressUnit = Annotated[
    str | None, typer.Option(help="Stress unit of the files: GPa, kbar, bar, atm, Pa or ENERGY/LENGTH^3.")
]
LammpsUnits = Annotated[
    str | None, typer.Option(help="Unit style of the LAMMPS run that wrote the files: metal, real or electron.")
]
Symbols = Annotated[
    str | None,
    typer.Option(help="Elements of the LAMMPS atom types, such as Ni,Al; or renamed elements, such as C=Ni."),
]
EnergyKey = Annotated[
    str | None, typer.Option(help="Key of the energy in the file. Default: the common keys are recognized.")
]
ForcesKey = Annotated[str | None, typer.Option(help="Key of the forces in the file.")]
StressKey = Annotated[str | None, typer.Option(help="Key of the stress in the file; '' ignores stresses.")]
VirialKey = Annotated[str | None, typer.Option(help="Key of the virial in the file.")]
VirialOrder = Annotated[
    str | None, typer.Option(help="Order of the six components of stress or virial: ase or lammps.")
]
Format = Annotated[
    str | None,
    typer.Option(
        help="File format, such as extxyz, or traj or another name of ASE's (docs/data.md lists them). By default from "
        "the suffix or the contents."
    ),
]
MaxStress = Annotated[
    float, typer.Option(help="Largest allowed component of the stress, in eV/Å^3 (1 eV/Å^3 is 160 GPa).")
]
Structures = Annotated[bool, typer.Option("--structures", help="Read structures only and ignore labels.")]


# Ranges of `nnpal data info`, with their units
RANGES = {
    "energy_ev_per_atom": "energy (eV/atom)",
    "largest_force_ev_per_angstrom": "largest force (eV/Å)",
    "pressure_ev_per_angstrom3": "pressure (eV/Å³)",
}


@app.callback()
def main() -> None:
    """Convert, split, check and describe datasets."""


@app.command()
def convert(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Files to read, followed by the file (.h5, .xyz, .extxyz) or the folder (.deepmd) to write."
        ),
    ],
    energy_unit: EnergyUnit = None,
    length_unit: LengthUnit = None,
    stress_unit: StressUnit = None,
    lammps_units: LammpsUnits = None,
    symbols: Symbols = None,
    tag: Annotated[str | None, typer.Option(help="Name under which reports group these configurations.")] = None,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
    virial_key: VirialKey = None,
    virial_order: VirialOrder = None,
    format: Format = None,
    max_stress: MaxStress = 1.0,
    structures: Structures = False,
) -> None:
    """Convert files of any supported format to one dataset in eV and Å."""
    from nnpal.data.convert import convert_files

    if len(files) < 2:
        _fail("convert", "expected the files to read and one file to write: nnpal data convert IN... OUT")
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
    source: Annotated[Path, typer.Argument(help="Dataset of labeled configurations (nnpal's .h5).")],
    kept: Annotated[Path, typer.Argument(help="Dataset to write, for training.")],
    held_out: Annotated[Path, typer.Argument(help="Dataset to write, the held-out set for evaluation.")],
    fraction: Annotated[float, typer.Option(help="Fraction of the configurations to hold out.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Random seed for the split.")] = 0,
) -> None:
    """Split a dataset into a training set and a held-out set, at random. Identical structures stay together."""
    from nnpal.data.divide import divide

    try:
        n_kept, n_out = divide(source, kept, held_out, fraction=fraction, seed=seed)
    except (OSError, ValueError) as error:
        _fail("split", in_words(error))
    typer.echo(f"{kept}: {n_kept} configurations; {held_out}: {n_out} held out")


@app.command()
def check(
    files: Annotated[
        list[Path], typer.Argument(help="Files of any supported format. Duplicates are looked up across all files.")
    ],
    energy_unit: EnergyUnit = None,
    length_unit: LengthUnit = None,
    stress_unit: StressUnit = None,
    lammps_units: LammpsUnits = None,
    symbols: Symbols = None,
    elements: Annotated[
        str | None, typer.Option(help="Allowed elements, such as Ni,Al. Any other element is an error.")
    ] = None,
    energy_spread: Annotated[
        float, typer.Option(help="Largest allowed deviation from the median energy of the composition, in eV/atom.")
    ] = 10.0,
    max_force: Annotated[float, typer.Option(help="Largest allowed force, in eV/Å.")] = 100.0,
    max_stress: MaxStress = 1.0,
    min_distance: Annotated[float, typer.Option(help="Shortest allowed interatomic distance, in Å.")] = 0.5,
    net_force: Annotated[
        float, typer.Option(help="Warn if the mean force over all atoms exceeds this value, in eV/Å.")
    ] = 1e-3,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
    virial_key: VirialKey = None,
    virial_order: VirialOrder = None,
    format: Format = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check configurations. Prints each problem with its index; the exit code is 1 if there are errors."""
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
    file: Annotated[Path, typer.Argument(help="File of any supported format.")],
    energy_unit: EnergyUnit = None,
    length_unit: LengthUnit = None,
    stress_unit: StressUnit = None,
    lammps_units: LammpsUnits = None,
    symbols: Symbols = None,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
    virial_key: VirialKey = None,
    virial_order: VirialOrder = None,
    format: Format = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Print a summary of a dataset. It has counts, formulas, ranges, units, hash and provenance."""
    from json import dumps

    from nnpal.data.convert import describe

    try:
        said = describe(
            file,
            units=_units(energy_unit, length_unit, stress_unit, lammps_units),
            symbols=_words(symbols),
            keys=_keys(energy_key, forces_key, stress_key, virial_key, virial_order),
            format=format,
        )
    except (OSError, ValueError) as error:
        _fail("info", in_words(error))
    if json:
        typer.echo(dumps(said, indent=2, ensure_ascii=False))
        return
    print_facts(_for_people(said), RANGES)


def _for_people(said: dict[str, Any]) -> dict[str, Any]:
    """Return the rows of the table: ranges with units, tags, and periodic directions in words."""
    least, most = said["atoms_per_configuration"]
    shown = {**said, "atoms_per_configuration": str(least) if least == most else f"{least} to {most}"}
    shown["tags"] = {tag or "(no tag)": n for tag, n in said["tags"].items()}
    shown["periodic"] = {_directions(kind): n for kind, n in said["periodic"].items()}
    for name in RANGES:
        if said[name] is not None:
            shown[name] = "{min:.6g} to {max:.6g}, mean {mean:.6g}".format_map(said[name])
    return shown


def _directions(periodic: str) -> str:
    """Return `ppf` as `x, y`."""
    named = [axis for axis, kind in zip("xyz", periodic, strict=True) if kind == "p"]
    return ", ".join(named) or "in no direction"


def _units(energy: str | None, length: str | None, stress: str | None, style: str | None) -> Units | None:
    from nnpal.data import Units

    if style is not None:
        if energy or length or stress:
            raise ValueError("--lammps-units cannot be combined with --energy-unit, --length-unit or --stress-unit")
        return Units.lammps(style)
    if energy is None and length is None and stress is None:
        return None
    if energy is None or length is None:
        raise ValueError("--energy-unit and --length-unit: give both")
    return Units(energy, length, stress=stress or "")


def _keys(energy: str | None, forces: str | None, stress: str | None, virial: str | None, order: str | None) -> Keys:
    from nnpal.data import Keys

    return Keys(energy, forces, stress, virial, order)  # type: ignore[arg-type] # Keys refuses other words


def _words(text: str | None) -> list[str] | None:
    return None if text is None else text.replace(",", " ").split()


def _fail(command: str, message: str) -> NoReturn:
    typer.echo(f"nnpal data {command}: {message}", err=True)
    raise typer.Exit(1)
