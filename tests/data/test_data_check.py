"""Checks name the configuration, what was found and what was expected."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from data_frames import sound_frames
from nnpal.data import Limits, attach, check_frames, labels_of, require_sound


def relabel(atoms: Atoms, **changes: object) -> None:
    attach(atoms, **{**labels_of(atoms), **changes})  # type: ignore[arg-type]


def test_sound_configurations_have_no_findings() -> None:
    assert check_frames(sound_frames(), ["Cu"]) == []
    assert require_sound(sound_frames()) == []
    molecule = Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.74]])
    assert check_frames([molecule, bulk("Cu")]) == []


@pytest.mark.parametrize("part", ["positions", "cell", "energy", "forces", "stress"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_finite(part: str, value: float) -> None:
    frames = sound_frames()
    bad = frames[2]
    if part in ("positions", "cell"):
        labels = labels_of(bad)
        array = bad.positions if part == "positions" else bad.cell.array
        array[1, 1] = value
        attach(bad, **labels)
    elif part == "energy":
        relabel(bad, energy=value)
    else:
        values = labels_of(bad)[part].copy()
        values.flat[1] = value
        relabel(bad, **{part: values})
    (finding,) = check_frames(frames)
    assert (finding.index, finding.severity, finding.kind) == (2, "error", "not finite")
    assert finding.value == f"1 NaN or infinite values of {part}"


def test_energies_are_compared_within_a_composition() -> None:
    frames = sound_frames()
    relabel(frames[1], energy=-14.0 + 4 * 11.0)
    other = Atoms("He", positions=[[0, 0, 0]])
    attach(other, energy=-5000.0, forces=np.zeros((1, 3)))
    (finding,) = check_frames([*frames, other])
    assert (finding.index, finding.kind, finding.severity) == (1, "energy", "error")
    assert finding.value == "7.5 eV/atom"
    assert finding.expected.startswith("-3.4")
    assert check_frames(frames, limits=Limits(energy_spread=12.0)) == []


def test_energies_outside_given_limits() -> None:
    findings = check_frames(sound_frames(), limits=Limits(lowest_energy=-3.49, highest_energy=-3.43))
    assert [(f.index, f.kind) for f in findings] == [(0, "energy"), (3, "energy")]
    assert findings[0].expected == "-3.49 to -3.43 eV/atom"


def test_large_and_unbalanced_forces() -> None:
    frames = sound_frames()
    forces = labels_of(frames[3])["forces"].copy()
    forces[2] += [0, 120.0, 0]
    relabel(frames[3], forces=forces)
    force, net = check_frames(frames)
    assert (force.index, force.kind, force.severity) == (3, "force", "error")
    assert "eV/Å on atom 2" in force.value
    assert (net.index, net.kind, net.severity) == (3, "net force", "warning")
    assert net.value == "30 eV/Å for each atom"


def test_atoms_too_close_images_included() -> None:
    frames = [Atoms("H2", positions=[[0.1, 0, 0], [8.9, 0, 0]], cell=[9, 9, 9], pbc=periodic) for periodic in (0, 1)]
    frames.append(Atoms("H", cell=[0.4, 9, 9], pbc=True))
    findings = check_frames(frames)
    assert [(f.index, f.kind, f.severity) for f in findings] == [(1, "distance", "error"), (2, "distance", "error")]
    assert findings[0].value == "0.2 Å between atoms 0 and 1"
    assert findings[1].value == "0.4 Å between atoms 0 and 0"


def test_cells_without_volume() -> None:
    (finding,) = check_frames([Atoms("H", cell=[[1, 0, 0], [2, 0, 0], [0, 0, 3]], pbc=True)])
    assert (finding.kind, finding.severity) == ("cell", "error")


def test_unknown_elements() -> None:
    (finding,) = check_frames([Atoms("NiNb", positions=[[0, 0, 0], [0, 0, 2]])], ["Ni", "Al"])
    assert (finding.index, finding.kind, finding.value, finding.expected) == (0, "element", "Nb", "one of Ni, Al")
    (finding,) = check_frames([Atoms("X")])
    assert finding.expected == "a chemical element"


def test_duplicates() -> None:
    frames = sound_frames(2)
    twin = frames[1].copy()
    attach(twin, **labels_of(frames[1]))
    wrapped = frames[0].copy()
    wrapped.positions[0] += frames[0].cell[1] - 2 * frames[0].cell[0]
    contradicting = frames[0].copy()
    attach(contradicting, energy=-13.0)
    findings = check_frames([*frames, twin, wrapped, contradicting])
    assert [(f.index, f.kind, f.severity) for f in findings] == [
        (2, "duplicate", "warning"),
        (3, "duplicate", "warning"),
        (4, "duplicate", "error"),
    ]
    assert findings[0].value == "the same structure as configuration 1"
    assert findings[1].value == "the same structure but for atoms a cell vector away as configuration 0"
    assert findings[2].value == "the same structure as configuration 0, 0.25 eV/atom apart"


def test_an_open_molecule_elsewhere_is_no_duplicate() -> None:
    """Nothing is wrapped without periodicity."""
    here = Atoms("H", positions=[[0, 0, 0]], cell=[5, 5, 5], pbc=(True, True, False))
    away = Atoms("H", positions=[[5, 0, 0]], cell=[5, 5, 5], pbc=(True, True, False))
    above = Atoms("H", positions=[[0, 0, 5]], cell=[5, 5, 5], pbc=(True, True, False))
    findings = check_frames([here, away, above], limits=Limits(min_distance=0.1))
    assert [f.index for f in findings] == [1]


def test_empty_and_stale() -> None:
    frames = sound_frames(2)
    frames[1].positions[0, 0] += 0.1
    findings = check_frames([Atoms(), *frames])
    assert [(f.index, f.kind) for f in findings] == [(0, "empty"), (2, "stale")]


def test_require_sound_names_the_first_few() -> None:
    frames = sound_frames(8)
    for frame in frames[1:]:
        relabel(frame, energy=np.nan)
    with pytest.raises(ValueError, match=r"data\.train: 7 of 8 configurations are invalid:") as error:
        require_sound(frames, source="data.train")
    lines = str(error.value).splitlines()
    assert lines[1] == (
        "  configuration 1: error: not finite: 1 NaN or infinite values of energy, expected finite numbers"
    )
    assert lines[-1] == "... and 2 more"
    assert len(lines) == 7
    relabel(frames[0], forces=np.ones((4, 3)))
    (warning,) = require_sound(frames[:1])
    assert warning.kind == "net force"


def test_limits_must_be_positive() -> None:
    with pytest.raises(ValueError, match="max_force = 0, expected more than 0"):
        Limits(max_force=0)
