"""MOMT inside LAMMPS: `fix ID group python/hook nnpal.momt:MOMT ...`."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np

from nnpal._momt import OrderParameter, SplineBias, fill_virial
from nnpal.hooks import Context, HookError
from nnpal.hooks.own_files import require_own
from nnpal.momt.bias_file import Bias, is_bias_file, read_bias, write_bias
from nnpal.momt.grid import choose_axes
from nnpal.momt.round_trips import RoundTrips
from nnpal.momt.schedule import Schedule
from nnpal.momt.settings import (
    WALL_LENGTH,
    WALL_STRENGTH,
    choose_ends,
    choose_order,
    choose_walls,
    identity,
    identity_of,
    require_numbers,
    require_same,
)
from nnpal.momt.step_size import StepSize
from nnpal.momt.trace import TraceWriter, is_trace_file
from nnpal.momt.walkers import Walkers
from nnpal.runtime.locks import Writer
from nnpal.runtime.places import set_aside

_NOT_MEASURED = float("nan")


class MOMT:
    """Multiorder-multithermal sampling: Wang-Landau learns δH until the histogram over the grid is flat.

    The sampled Hamiltonian is H_momt = H + δH, with H = U + P0 V and δH a function of (H, O), H, O or (V, H). With
    a = ∂δH/∂H, b = ∂δH/∂O, c = ∂δH/∂V: forces F' = (1 + a) F - b ∂O/∂r, virial added a (W - P0 V 1) - c V 1.
    Y. Yoshimoto, J. Chem. Phys. 125, 184103 (2006), doi:10.1063/1.2363987; G. S. Jung et al., arXiv:2308.08098.

    Outputs: energy = δH; vector = [H, O, δH, ∂δH/∂H, ∂δH/∂O (∂δH/∂V for a grid of V and H), ln f in kT, flatness,
    phase].
    """

    def __init__(
        self,
        context: Context,
        temp: float,
        press: float = 0.0,
        lattice: str = "none",
        cells: list[float] | None = None,
        reciprocal: list[int] | None = None,
        H: tuple[float, float, int] | None = None,
        V: tuple[float, float, int] | None = None,
        O: tuple[float, float, int] | None = None,  # noqa: E741
        file: str = "momt.h5",
        trace: str | None = None,
        every: int = 100,
        start: str | None = None,
        phase: str = "learning",
        stride: int = 10,
        ln_f: float = 0.3,
        ln_f_end: float = 1e-3,
        schedule: str = "1/t",
        flatness: float = 0.8,
        learn: int | None = None,
        walls: tuple[str, ...] = ("yes",),
        wall_strength: float = WALL_STRENGTH,
        wall_length: float = WALL_LENGTH,
        walkers: bool = False,
        progress: int = 10_000,
        ends: tuple[float, float] | None = None,
    ) -> None:
        """Prepare the bias; docs/momt.md describes the options.

        Arguments:
            context: access to LAMMPS.
            temp: temperature T0, K (reduced in ``units lj``).
            press: pressure P0, pressure units.
            lattice: crystal of the order parameter: ``fcc``, ``bcc``, ``hcp``, ``diamond`` or ``none``.
            cells: numbers of conventional cells along the box vectors, [3], or the box matrix in units of that cell by
                rows, [9]; by default deduced from the atoms and the box.
            reciprocal: h k l of each reciprocal vector, as multiples of the box's, [3 n_g]; instead of ``lattice``.
            H: lower edge, upper edge and number of bins of the enthalpy, energy units.
            V: the same for the volume, volume units.
            O: the same for the order parameter.
            file: name of the bias file.
            trace: name of the trace file; by default ``file`` with the suffix .trace.
            every: number of steps between rows of the trace.
            start: bias file with the initial δH.
            phase: ``learning`` or ``production``, which samples with the bias of ``start`` unchanged.
            stride: number of steps between updates of the bias.
            ln_f: height of the first updates, kT0.
            ln_f_end: value of ln f below which learning ends, kT0.
            schedule: rule by which ln f decreases, ``1/t`` or ``flat``.
            flatness: min/mean of the visits above which ``flat`` halves ln f.
            learn: largest number of learning steps; None: no limit.
            walls: ``yes``, ``no``, or edges that have a wall, such as ``H- O+``.
            wall_strength: energy e of the walls, kT0.
            wall_length: length l of the walls of H, kT0; larger than ``wall_strength``.
            walkers: whether all partitions share one bias.
            progress: number of steps between lines in the log.
            ends: ends of a round trip in O, or in H if O is not measured; by default 0.15 and 0.5 of the perfect
                crystal's O.

        Raises:
            HookError: an option is incompatible with the others, the system or the initial bias file.
        """
        require_numbers(temp=temp, press=press, learn=learn, every=every, stride=stride, progress=progress)
        if phase not in ("learning", "production"):
            raise HookError(f"option phase: expected learning or production, found {phase}")
        if phase == "production" and start is None:
            raise HookError("option phase production: expected start FILE too, the bias to sample with")
        self.temp, self.press = temp, press
        self.kT = context.boltz * temp
        self._pressure = press / context.nktv2p  # energy per volume
        self._context = context
        self._virial_used = True
        self.axes = choose_axes({"H": H, "O": O, "V": V})
        self.names = tuple(axis.name for axis in self.axes)
        self.order = choose_order(context, lattice, cells, reciprocal)
        if "O" in self.names and not self.order.vectors:
            raise HookError("a grid of O: expected lattice fcc, bcc, hcp or diamond, or reciprocal h k l ...")
        self.walls = choose_walls(self.axes, walls, self.kT, wall_strength, wall_length)
        self.every, self.stride, self.progress = every, stride, progress
        self.walkers = Walkers(context, walkers)
        self.bias = SplineBias(
            [(axis.low, axis.high, axis.n_bins) for axis in self.axes],
            [astuple(wall) for wall in self.walls],
        )
        self._step_size = StepSize(self.axes, self.walls, self.kT)
        self.schedule = Schedule(
            tuple(axis.n_bins for axis in self.axes),
            ln_f=ln_f,
            ln_f_end=ln_f_end,
            rule=schedule,
            flatness=flatness,
            max_updates=None if learn is None else max(1, learn // stride * self.walkers.n),
        )
        self._ends_of, low, high = choose_ends(self.axes, self.order, ends)
        self.round_trips = RoundTrips(low, high)
        self._order_parameter = OrderParameter(self.order.vectors, context.n_group) if self.order.vectors else None
        self._in_place = _in_place() if context.comm.size > 1 else None
        self._identity = identity(self.axes, self.order.vectors, context.units, temp, press)
        self._facts: dict[str, Any] = {
            "units": context.units,
            "boltz": context.boltz,
            "nktv2p": context.nktv2p,
            "n_atoms": context.n_atoms,
            "n_group": context.n_group,
        }
        self._paths(context, file, trace)
        self._continues = self._walls_differ = False
        self._trace: TraceWriter | None = None
        self._writers: list[Writer] = []
        self._is_begun = False
        self._pending: list[tuple[float, float]] = []
        self._pending_step = 0
        if start is not None:
            self._carry(start)
        if phase == "production":
            self.schedule.end_learning()
        self.H = self.V = 0.0
        self.O = _NOT_MEASURED
        self.energy = 0.0
        self.virial = np.zeros(6)
        # a tuple, because filling a small array takes longer
        self.vector: tuple[float, ...] = (0.0, _NOT_MEASURED if self._order_parameter is None else 0.0, *(6 * (0.0,)))
        self._show_schedule()

    def _paths(self, context: Context, file: str, trace: str | None) -> None:
        """Set the names of the files, with a suffix for each partition except for a shared bias."""
        self.file = Path(file)
        self._writes_trace = context.comm.rank == 0
        self._writes_bias = self._writes_trace and (self.walkers.n == 1 or context.partition == 0)
        for option, path in (("file", self.file), ("trace", Path(trace or file))):
            if path.is_dir():  # "." has no name to derive the other file's from
                raise HookError(f"option {option}: {path} is a folder; give the name of a file")
        self.trace_file = Path(trace) if trace else self.file.with_suffix(".trace")
        if self.trace_file.resolve() == self.file.resolve():
            raise HookError(f"options file and trace: both are {file}; give the trace another name")
        if context.n_partitions > 1:
            part = f".{context.partition}"
            self.trace_file = self.trace_file.with_name(self.trace_file.stem + part + self.trace_file.suffix)
            if self.walkers.n == 1:
                self.file = self.file.with_name(self.file.stem + part + self.file.suffix)
        self._require_own_files()

    def _require_own_files(self) -> None:
        if self._writes_trace:
            require_own("trace", self.trace_file, is_trace_file, "trace file of MOMT")
        if self._writes_bias:
            require_own("file", self.file, is_bias_file, "bias file of MOMT")

    def _carry(self, path: str) -> None:
        """Start from the δH of a bias file, with new ln f and histograms."""
        old = read_bias(path)
        require_same(
            f"bias file {path}",
            identity_of(old),
            self._identity,
            "carry δH between runs of the same grid, lattice, temp and press, or start without it",
        )
        self.bias.coefficients[:] = old.coefficients

    @property
    def reads(self) -> tuple[str, ...]:
        """What LAMMPS must tally for this hook: the virial only if the hook's own virial is used."""
        return ("energy", "virial") if self._context.virial_used else ("energy",)

    def setup(self, context: Context) -> None:
        """Check that the bias can be applied, and open the files."""
        self._virial_used = context.virial_used
        if "hmc" in context.fix_styles:
            raise HookError("fix hmc rejects whole trajectories after MOMT has counted them; remove fix hmc")
        if context.box_changes and not context.virial_yes and not context.minimizing:
            raise HookError(
                f"the box changes, but its barostat does not see the bias; add: fix_modify {context.fix_id} energy yes "
                "virial yes"
            )
        if not self._is_begun and not context.minimizing:
            self._measure(context)
            self._check_start(context)
            self._begin(context)

    def _check_start(self, context: Context) -> None:
        if self._continues:
            return
        for axis in self.axes:
            value = getattr(self, axis.name)
            if not axis.low <= value <= axis.high:
                raise HookError(
                    f"{axis.name} = {value:.10g} at the start is outside the grid {axis}; widen the grid, or "
                    f"equilibrate at temp and press first"
                )

    def _begin(self, context: Context) -> None:
        self._is_begun = True
        if not self._writes_trace:
            return
        self._require_own_files()  # again: the files may have been created since the fix was defined
        own = (self.trace_file, self.file) if self._writes_bias else (self.trace_file,)
        for path in own:
            self._writers.append(Writer(path))
        if not self._continues:
            for path in own:
                kept = set_aside(path)
                if kept:
                    context.log(f"momt: {path} of an earlier run is kept as {kept}")
        if self._walls_differ:
            context.log(
                "momt: the walls differ from those of the run that wrote the restart file; they apply from here on"
            )
        header = {**self._facts, "temp": self.temp, "press": self.press}
        self._trace = TraceWriter(self.trace_file, header, context.step if self._continues else None, self.axes)

    def _refuse_other_atoms(self, context: Context) -> None:
        """Raise an error if a Monte Carlo fix tries to insert or delete atoms (collective)."""
        found, expected = context.n_atoms - context.n_excluded, self._facts["n_atoms"]
        if found != expected:
            raise HookError(
                f"a Monte Carlo fix tries a state of {found} atoms, and the grid of this bias is of {expected}: MOMT "
                "samples a fixed number of atoms; leave out insertions and deletions (fix gcmc with 0 exchanges)"
            )

    def _measure(self, context: Context) -> None:
        self.V = context.volume
        self.H = context.potential_energy + self._pressure * self.V
        order = self._order_parameter
        if order is not None:
            order.add_atoms(context.x, context.mask, context.group_bit, context.box)
            if self._in_place is not None:
                context.comm.Allreduce(self._in_place, order.sums)
            self.O = order.value()

    def _point(self) -> tuple[float, float]:
        if self.names == ("H", "O"):
            return self.H, self.O
        if self.names == ("V", "H"):
            return self.V, self.H
        return (self.H if self.names == ("H",) else self.O), 0.0

    def pre_reverse(self, context: Context) -> None:
        """Apply the bias to forces and virial."""
        if context.is_trial:
            self._refuse_other_atoms(context)
        elif self._pending and context.step != self._pending_step:
            self._update(context)
        self._measure(context)
        s0, s1 = self._point()
        self.energy, slope0, slope1 = self.bias.evaluate(s0, s1)
        a = b = c = 0.0
        if self.names == ("H", "O"):
            a, b = slope0, slope1
        elif self.names == ("V", "H"):
            c, a = slope0, slope1
        elif self.names == ("H",):
            a = slope0
        else:
            b = slope0
        if a != 0.0:
            context.scale_forces(1.0 + a)
        if b != 0.0 and self._order_parameter is not None:
            self._order_parameter.add_gradient(-b, context.f)
        if self._virial_used and not context.is_trial:
            fill_virial(self.virial, context.virial, a, (a * self._pressure + c) * self.V)
        slope = c if self.names == ("V", "H") else b
        self.vector = (self.H, self.O, self.energy, a, slope, *self._shown)

    def end_of_step(self, context: Context) -> None:
        """Write the trace, schedule updates, and log progress."""
        step = context.step
        self._warn(context, self._step_size.visit(step, self._point(), context.dt))
        if self._trace is not None and step % self.every == 0:
            bin_ = self.bias.bin(*self._point())
            phase = int(self.schedule.production)
            self._trace.add(context.time, step, self.H, self.V, self.O, self.energy, bin_, phase, self.schedule.ln_f)
        self.round_trips.visit(self.O if self._ends_of == "O" else self.H)
        if step % self.stride == 0:
            self._pending = self.walkers.points(context, *self._point())
            self._pending_step = step
        if step % self.progress == 0:
            self.schedule.flatness = self.schedule.measure_flatness()
            self._show_schedule()
            self._report(context)

    def _warn(self, context: Context, complaints: list[str]) -> None:
        for complaint in complaints:
            context.log(f"momt: WARNING: {complaint}")

    def _update(self, context: Context) -> None:
        """Update the bias with the points of the previous step.

        Updating is delayed so that the last step of a run has the same forces when the next run evaluates it again.
        """
        points, self._pending = self._pending, []
        bins = [self.bias.bin(*point) for point in points]
        if not self.schedule.production:
            amount = self.schedule.ln_f * self.kT
            for point, bin_ in zip(points, bins, strict=True):
                if bin_ >= 0:
                    self.bias.deposit(amount, *point)
        was_learning = not self.schedule.production
        fell = self.schedule.update(bins, explored=self.round_trips.count > 0)
        self._show_schedule()
        if fell:
            self._report(context)
        if was_learning and self.schedule.production:
            context.log(f"momt: step {context.step}: learning has ended, δH is frozen from here on")

    def _show_schedule(self) -> None:
        self._shown = (self.schedule.ln_f, self.schedule.flatness, float(self.schedule.production))
        self.vector = (*self.vector[:5], *self._shown)

    def _report(self, context: Context) -> None:
        """Log the progress of learning, and write the bias file."""
        schedule = self.schedule
        visited = np.argwhere((schedule.visits + schedule.production_visits).reshape(schedule.shape) > 0)
        area = ""
        if len(visited):
            ranges = zip(self.axes, visited.min(axis=0), visited.max(axis=0), strict=True)
            area = " (" + ", ".join(f"{a.name} {a.edges[i]:.5g} to {a.edges[j + 1]:.5g}" for a, i, j in ranges) + ")"
        context.log(
            f"momt: step {context.step} {'production' if schedule.production else 'learning'} ln f "
            f"{schedule.ln_f:.3g} kT flatness {schedule.measure_flatness():.2f} visited {schedule.n_visited} of "
            f"{len(schedule.visits)} bins{area} round trips {self.round_trips.count}"
        )
        self._write(context.step)

    def _write(self, step: int) -> None:
        if self._trace is not None:
            self._trace.flush()
        if not (self._writes_bias and self._is_begun):
            return
        schedule = self.schedule
        shape = schedule.shape
        write_bias(
            self.file,
            Bias(
                **self._facts,
                temp=self.temp,
                press=self.press,
                axes=self.axes,
                walls=self.walls,
                coefficients=self.bias.coefficients,
                visits=schedule.visits.reshape(shape),
                flatness_visits=schedule.flatness_visits.reshape(shape),
                production_visits=schedule.production_visits.reshape(shape),
                reciprocal_vectors=np.array(self.order.vectors, dtype=np.int64).reshape(-1, 3),
                lattice=self.order.lattice,
                ln_f=schedule.ln_f,
                phase=int(schedule.production),
                step=step,
                n_updates=schedule.n_updates,
                round_trips=self.round_trips.count,
                stride=self.stride,
                walkers=self.walkers.n,
            ),
        )

    def post_run(self, context: Context) -> None:
        """Log warnings and progress, and write the bias file."""
        if not context.minimizing:
            self._warn(context, self._step_size.complaints(context.dt))
            self._report(context)

    def close(self) -> None:
        """Close the trace and release the files."""
        try:
            if self._trace is not None:
                self._trace.close()
        finally:
            for writer in self._writers:
                writer.release()

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a restart needs for a bitwise identical trajectory."""
        if self._trace is not None:
            self._trace.flush()
        return {
            "identity": self._identity,
            "coefficients": self.bias.coefficients.copy(),
            "schedule": self.schedule.state_dict(),
            "round_trips": self.round_trips.state_dict(),
            "pending": self._pending,
            "pending_step": self._pending_step,
            "walls": [astuple(wall) for wall in self.walls],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state from a restart file.

        Arguments:
            state: what ``state_dict`` returned.

        Raises:
            HookError: the state has another grid, lattice, temperature or pressure.
        """
        require_same(
            "the restart file",
            state["identity"],
            self._identity,
            "continue with the options of the run that wrote it, or carry its δH to a new fix ID by start FILE",
        )
        self.bias.coefficients[:] = state["coefficients"]
        self.schedule.load_state_dict(state["schedule"])
        self.round_trips.load_state_dict(state["round_trips"])
        self._pending = [(s0, s1) for s0, s1 in state["pending"]]
        self._pending_step = state["pending_step"]
        self._continues = True
        # Only reported: within the grid nothing depends on walls, so earlier rows remain valid
        self._walls_differ = [tuple(wall) for wall in state.get("walls", [])] != [astuple(wall) for wall in self.walls]
        self._show_schedule()


def _in_place() -> Any:
    """Return MPI.IN_PLACE; importing mpi4py starts MPI, so call this only with several ranks."""
    from mpi4py import MPI

    return MPI.IN_PLACE
