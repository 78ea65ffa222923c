"""Input scripts of runs. Each can be rerun by hand in its folder, which has all files that it reads and writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnpal.active_learning.sampling.force_field import MODEL, Forces
from nnpal.active_learning.sampling.settings import (
    InitialSection,
    MOMTSection,
    NPTSection,
    Run,
    SMDSection,
    options_words,
)
from nnpal.lammps.data_file import Start
from nnpal.lammps.seeds import lammps_seed
from nnpal.smd.analysis import BOLTZ

SMD_INPUT, MOMT_INPUT, NPT_INPUT, MD_INPUT = "in.smd", "in.momt", "in.npt", "in.md"
DATA, FRAMES, ROWS, LOG = "start.data", "frames.lammpstrj", "rows.txt", "log.lammps"
PUSH = "push.txt"
TRACE, BIAS, START_BIAS = "momt.trace", "momt.h5", "start.h5"

TEMPERATURE_HALT, UQ_HALT, ERROR_HALT = "hot", "uncertain", "wrong"
"""IDs of the fixes that end a run."""
OVER = "nnpal: the run is over"
UQ_COLUMNS = ("uq_energy", "uq_energy_mean", "energy_deviation", "uq_force", "error_force")
"""c_uq[1] to c_uq[5]: largest and mean uq_energy of any atom, standard deviation of the total energy per sqrt(N),
largest uq_force, and largest calibrated force error: inf without calibration, and free once uq_force is computed."""
ERROR = "error_force"
HALT_EVERY = 10
THERMO_EVERY = 1000


@dataclass(frozen=True)
class Steering:
    """Parameters of one pull.

    Attributes:
        rate: pulling rate, Å/ps.
        start: initial position of the spring's far end, Å.
        steps: number of steps of the pull.
        noiseless: direction of the constant forces in ``PUSH``, which replace random velocities and thermostat noise,
            [3]; None: a pull with noise.
    """

    rate: float
    start: float
    steps: int
    noiseless: tuple[float, float, float] | None = None


def smd_input(section: SMDSection, forces: Forces, start: Start, pull: Steering, seed: int, command: str) -> str:
    """Return ``in.smd``: equilibration with the spring at rest, then the pull.

    Atoms are not sorted: LAMMPS sorts by bins that depend on the cutoff, and fix langevin draws random numbers in the
    order of atoms, so two force fields would get different noise from equal seeds.
    """
    i, j = section.atoms
    energy, time = forces.units.energy, forces.units.time
    spring = f"fix pull all python/hook nnpal.smd:SMD atoms {i} {j} k {section.k * energy!r}"
    at = f"start {pull.start!r}"
    columns = {"d": "f_pull[1]", "lambda": "f_pull[2]", "force": "f_pull[3]", "work": "f_pull[4]"}
    facts: dict[str, object] = {
        "units": forces.units.name,
        "boltz": BOLTZ[forces.units.name],
        "k": section.k * energy,
        "rate": pull.rate / time,
        "start": pull.start,
    }
    lines = [
        *_title(
            f"Pull atoms {i} and {j} by {section.length:g} Å at {pull.rate:g} Å/ps and "
            f"{section.temperature if pull.noiseless is None else 0:g} K under {_by(forces)}",
            command,
            f"nnpal smd report {ROWS} --temperature {section.temperature:g}",
        ),
        *_head(forces, start, section.timestep, sort="sort 0 0.0"),
        *(
            _nvt(section, forces, start, section.temperature, seed)
            if pull.noiseless is None
            else _noiseless(section, forces, pull.noiseless)
        ),
        *_halt_if_hot(section, section.temperature),
        "",
        f"{spring} rate 0.0 {at}",
        "thermo_style custom step temp pe f_pull[1]",
        f"run          {section.equilibration}",
        "unfix        pull",
        "",
        *_from_zero(section, section.temperature),
        f"{spring} rate {pull.rate / time!r} {at}",
        *_rows(forces, section.uq_every, columns, facts, with_uq=True),
        *_halt_if_uncertain(section, forces),
        *_dump(forces, section.every, FRAMES, with_uq_force=True),
        "thermo_style custom step temp pe f_pull[1] f_pull[2] f_pull[3] f_pull[4]",
        f"run          {pull.steps}",
        f'print        "{OVER}"',
    ]
    return "\n".join(lines) + "\n"


def momt_input(
    section: MOMTSection, forces: Forces, start: Start, seed: int, command: str, *, start_bias: bool = False
) -> str:
    """Return ``in.momt``: equilibration at constant pressure, then sampling while the bias is learned.

    With several walkers each partition has its own numbered frames, rows and trace.
    """
    energy, pressure = forces.units.energy, section.pressure * forces.units.pressure
    words = ["temp", repr(section.temperature), "press", repr(pressure)]
    words += ["lattice", section.lattice] if section.lattice and "reciprocal" not in section.options else []
    for name, grid, scale in (("H", section.H, energy), ("O", section.O, 1.0)):
        words += [name, repr(grid[0] * scale), repr(grid[1] * scale), str(grid[2])] if grid else []
    words += ["file", BIAS, "trace", TRACE, "every", str(section.every)]
    words += ["start", START_BIAS] if start_bias else []
    words += ["walkers", "yes"] if section.walkers > 1 else []
    words += options_words(section.options)
    columns = {"H": "f_momt[1]", "O": "f_momt[2]", "dH": "f_momt[3]", "volume": "v_volume", "phase": "f_momt[8]"}
    lines = [
        *_title(
            f"Sample {start.n_atoms} atoms by MOMT at {section.temperature:g} K and {section.pressure:g} bar "
            f"under {_by(forces)}",
            command,
            f"nnpal momt report {BIAS} {TRACE} --output report   (once learning has ended)",
        ),
        *_walkers(section),
        *_head(forces, start, section.timestep),
        *_velocities(2 * section.temperature, _shifted(seed, section.walkers), start),
        "fix          move all "
        + _npt(section.temperature, pressure, section.damping, section.pressure_damping, forces.units.time),
        *_halt_if_hot(section, 2 * section.temperature, section.walkers),
        "thermo_style custom step temp pe press vol",
        f"run          {section.equilibration}",
        "",
        *_from_zero(section, section.temperature, section.walkers),
        f"fix          momt all python/hook nnpal.momt:MOMT {' '.join(words)}",
        "fix_modify   momt energy yes virial yes",
        "variable     volume equal vol",
        *_rows(forces, section.every, columns, {"units": forces.units.name}, walkers=section.walkers),
        *_dump(forces, section.every, _own(FRAMES, section.walkers)),
        "thermo_style custom step temp pe press vol f_momt[1] f_momt[2] f_momt[3] f_momt[6] f_momt[8]",
        f"run          {section.steps}",
        f'print        "{OVER}"',
    ]
    return "\n".join(lines) + "\n"


def npt_input(
    section: NPTSection, forces: Forces, start: Start, seed: int, command: str, *, melted: bool = False
) -> str:
    """Return ``in.npt``: dynamics at constant temperature and pressure, starting from the structure or its melt.

    To melt it, the run starts at ``melt_temperature``; the thermostat cools the melt during equilibration.
    """
    pressure, time = section.pressure * forces.units.pressure, forces.units.time
    hottest = 2 * (section.melting if melted else section.temperature)

    def barostat(temperature: float) -> str:
        return "fix          move all " + _npt(temperature, pressure, section.damping, section.pressure_damping, time)

    melting = [
        barostat(section.melting),
        f"run          {section.melt_steps}",
        "unfix        move",
        "",
    ]
    lines = [
        *_title(
            f"Sample {start.n_atoms} atoms, {'melted' if melted else 'as they are'}, by NPT dynamics at "
            f"{section.temperature:g} K and {section.pressure:g} bar under {_by(forces)}",
            command,
        ),
        *_head(forces, start, section.timestep),
        *_velocities(hottest, str(lammps_seed(seed, 0)), start),
        *_halt_if_hot(section, hottest),
        "thermo_style custom step temp pe press vol",
        *(melting if melted else []),
        barostat(section.temperature),
        f"run          {section.equilibration}",
        "",
        *_from_zero(section, section.temperature),
        "variable     volume equal vol",
        *_rows(forces, section.every, {"volume": "v_volume"}, {"units": forces.units.name}),
        *_dump(forces, section.every, FRAMES),
        f"run          {section.steps}",
        f'print        "{OVER}"',
    ]
    return "\n".join(lines) + "\n"


def md_input(section: InitialSection, forces: Forces, start: Start, temperature: float, seed: int, command: str) -> str:
    """Return ``in.md``: equilibration and sampling at one temperature, at constant volume or pressure."""
    if section.pressure is None:
        dynamics, ensemble = _nvt(section, forces, start, temperature, seed), "constant volume"
    else:
        pressure = section.pressure * forces.units.pressure
        npt = _npt(temperature, pressure, section.damping, section.pressure_damping, forces.units.time)
        dynamics = [*_velocities(2 * temperature, str(lammps_seed(seed, 0)), start), f"fix          move all {npt}"]
        ensemble = f"{section.pressure:g} bar"
    lines = [
        *_title(f"Sample {start.n_atoms} atoms at {temperature:g} K and {ensemble} under {_by(forces)}", command),
        *_head(forces, start, section.timestep),
        *dynamics,
        *_halt_if_hot(section, 2 * temperature),
        f"run          {section.equilibration}",
        "",
        *_from_zero(section, temperature),
        *_rows(forces, section.every, {}, {"units": forces.units.name}),
        *_dump(forces, section.every, FRAMES),
        f"run          {section.steps}",
        f'print        "{OVER}"',
    ]
    return "\n".join(lines) + "\n"


def _by(forces: Forces) -> str:
    return "the network" if MODEL in forces.links else "the oracle"


def _title(what: str, command: str, *more: str) -> list[str]:
    return [f"# {what}.", "#", f"#   {command}", *(f"#   {line}" for line in more), ""]


def _head(forces: Forces, start: Start, timestep: float, sort: str = "") -> list[str]:
    return [
        f"units        {forces.units.name}",
        f"atom_style   {'atomic' if forces.charges is None else 'charge'}",
        f"atom_modify  map array {sort}".rstrip(),
        f"boundary     {start.boundary}",
        "box          tilt large",
        f"read_data    {DATA}",
        "",
        *forces.commands,
        "neighbor     2.0 bin",
        "neigh_modify every 1 delay 0 check yes",
        "",
        f"timestep     {timestep * forces.units.time!r}",
        f"thermo       {THERMO_EVERY}",
    ]


def _velocities(temperature: float, seed: str, start: Start) -> list[str]:
    turn = "no" if any(start.periodic) else "yes"
    return [f"velocity     all create {temperature!r} {seed} mom yes rot {turn} dist gaussian loop all"]


def _nvt(section: Run, forces: Forces, start: Start, temperature: float, seed: int) -> list[str]:
    """Return velocities and a Langevin thermostat whose random forces do not move the center of mass."""
    damping = section.damping * forces.units.time
    return [
        *_velocities(temperature, str(lammps_seed(seed, 0)), start),
        "fix          move all nve",
        f"fix          bath all langevin {temperature!r} {temperature!r} {damping!r} {lammps_seed(seed, 1)} zero yes",
    ]


def _noiseless(section: Run, forces: Forces, direction: tuple[float, float, float]) -> list[str]:
    """Return a thermostat at 0 K, which is only friction, and the forces in ``PUSH`` (eV/Å) along ``direction``."""
    energy = forces.units.energy
    return [
        f"variable     push atomfile {PUSH}",
        *(
            f"variable     push_{axis} atom v_push*{energy * along!r}"
            for axis, along in zip("xyz", direction, strict=True)
        ),
        "fix          push all addforce v_push_x v_push_y v_push_z",
        "fix          move all nve",
        f"fix          bath all langevin 0.0 0.0 {section.damping * forces.units.time!r} 1",
    ]


def _npt(temperature: float, pressure: float, damping: float, pressure_damping: float, time: float) -> str:
    return (
        f"npt temp {temperature!r} {temperature!r} {damping * time!r} "
        f"iso {pressure!r} {pressure!r} {pressure_damping * time!r}"
    )


def _halt_if_hot(section: Run, temperature: float, walkers: int = 1) -> list[str]:
    """Return the fix that ends a hot run; with several walkers by an error, or the others would wait for this one."""
    limit, how = section.hottest(temperature), "soft" if walkers == 1 else "hard"
    return [
        "variable     temperature equal temp",
        f"fix          {TEMPERATURE_HALT} all halt {HALT_EVERY} v_temperature > {limit!r} error {how}",
    ]


def _from_zero(section: Run, temperature: float, walkers: int = 1) -> list[str]:
    """Return the lines that reset the step to 0; fixes that use the step must be redefined."""
    return [f"unfix        {TEMPERATURE_HALT}", "reset_timestep 0", *_halt_if_hot(section, temperature, walkers)[1:]]


def _halt_if_uncertain(section: SMDSection, forces: Forces) -> list[str]:
    """Return the fixes that end a pull above ``max_uq`` or ``max_error``."""
    if not forces.has_uq:
        return []
    limits = [
        (UQ_HALT, "uncertainty", section.uq, section.max_uq),
        (ERROR_HALT, "error_force", ERROR, section.max_error),
    ]
    return [
        line
        for fix, variable, column, limit in limits
        if limit is not None
        for line in (
            f"variable     {variable} equal c_uq[{UQ_COLUMNS.index(column) + 1}]",
            f"fix          {fix} all halt {section.uq_every} v_{variable} > {limit!r} error soft",
        )
    ]


def _rows(
    forces: Forces,
    every: int,
    columns: dict[str, str],
    facts: dict[str, object],
    *,
    with_uq: bool = False,
    walkers: int = 1,
) -> list[str]:
    """Return the fix that writes a row every ``every`` steps, immediately."""
    columns = {**columns, "temperature": "c_thermo_temp", "energy": "c_thermo_pe"}
    compute = []
    if with_uq and forces.has_uq:
        compute = ["compute      uq all pair nnp"]
        columns |= {name: f"c_uq[{i}]" for i, name in enumerate(UQ_COLUMNS, 1)}
    file = _own(ROWS, walkers)
    said = "\n".join(
        f"#! SET {name} {value!r}" if name != "units" else f"#! SET units {value}" for name, value in facts.items()
    )
    return [
        *compute,
        f'print        """{said}""" file {file} screen no',
        f"fix          rows all ave/time {every} 1 {every} {' '.join(columns.values())} &",
        f'             append {file} format " %.17g" title1 "# a row of every {every} steps" &',
        f'             title2 "# step {" ".join(columns)}"',
    ]


def _dump(forces: Forces, every: int, file: str, *, with_uq_force: bool = False) -> list[str]:
    if not forces.has_uq:
        fix, uq = [], ""
    elif with_uq_force:
        fix, uq = [f"fix          atoms all pair {every} nnp uq_energy 1 uq_force 1"], " f_atoms[1] f_atoms[2]"
    else:
        fix, uq = [f"fix          atoms all pair {every} nnp uq_energy 1"], " f_atoms"
    return [
        *fix,
        f"dump         frames all custom {every} {file} id type xu yu zu{uq}",
        "dump_modify  frames sort id format float %.15g",
    ]


def own_name(name: str, walker: int, walkers: int) -> str:
    """Return the file name of one walker, numbered if there are several."""
    stem, dot, suffix = name.rpartition(".")
    return name if walkers == 1 else f"{stem}.{walker}{dot}{suffix}"


def _own(name: str, walkers: int) -> str:
    stem, dot, suffix = name.rpartition(".")
    return name if walkers == 1 else f"{stem}.${{walker}}{dot}{suffix}"


def _walkers(section: MOMTSection) -> Sequence[str]:
    if section.walkers == 1:
        return []
    return [f"variable     walker world {' '.join(str(i) for i in range(section.walkers))}", ""]


def _shifted(seed: int, walkers: int) -> str:
    number = lammps_seed(seed, 0)
    return str(number) if walkers == 1 else f"$({number}+v_walker)"
