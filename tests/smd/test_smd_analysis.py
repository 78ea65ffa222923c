"""Work function, break, and Jarzynski's average on pulls whose answers are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nnpal.cli.app import app
from nnpal.smd import Pull, activation_energy, find_break, jarzynski, jarzynski_profile, letting_go, read_pull
from nnpal.smd.free_energy import check_one_protocol
from nnpal.smd.pull import running_mean
from nnpal.smd.steering import MovingSpring
from nnpal.smd.trace import TraceFile

MORSE = {"depth": 4.0, "a": 2.0, "r0": 1.5}
F_MAX = MORSE["depth"] * MORSE["a"] / 2  # of a Morse bond, at r0 + ln(2)/a


def morse_force(r: np.ndarray) -> np.ndarray:
    x = np.exp(-MORSE["a"] * (r - MORSE["r0"]))
    return 2 * MORSE["depth"] * MORSE["a"] * (x - x**2)


def morse_pull(k: float = 100.0, noise: float = 0.0, seed: int = 0) -> Pull:
    """Return an infinitely slow pull of a Morse bond by a spring that is stiffer than the bond is anywhere."""
    d = np.linspace(MORSE["r0"], 6.0, 20001)
    force = morse_force(d)
    target = d + force / k
    noisy = force + np.random.default_rng(seed).normal(0, noise, len(d)) if noise else force
    work = np.concatenate([[0.0], np.cumsum(0.5 * (noisy[1:] + noisy[:-1]) * np.diff(target))])
    return Pull(np.arange(len(d)), d, target, noisy, work, name="morse")


def test_activation_energy_of_a_slow_pull_is_the_depth_of_the_bond() -> None:
    # the trapezoid over 20,000 rows errs by 1e-7; the bond is not quite gone at 6 Å, by 4 (1 - (1 - e^-9)²) = 1e-3
    assert activation_energy(morse_pull()) == pytest.approx(MORSE["depth"], abs=1.5e-3)


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_break_of_a_morse_bond_is_at_its_largest_force(noise: float) -> None:
    at = find_break(morse_pull(noise=noise), window=0.05)
    # 200 rows lie in the window: noise/sqrt(200) = 0.035; the top is flat, so d is less sharp than the force
    assert at.force == pytest.approx(F_MAX, abs=0.01 + 4 * noise / np.sqrt(200))
    assert at.d == pytest.approx(MORSE["r0"] + np.log(2) / MORSE["a"], abs=0.01 + 0.2 * noise)
    assert at.broken


def test_a_bond_lets_go_where_half_of_its_largest_force_is_left() -> None:
    # x - x² = 1/8 on the falling side: x = exp(-a (r - r0)) = (1 - sqrt(1/2))/2
    x = (1 - np.sqrt(0.5)) / 2
    expected = MORSE["r0"] - np.log(x) / MORSE["a"] + 0.5 * F_MAX / 100.0
    assert letting_go(morse_pull(), window=0.02) == pytest.approx(expected, abs=0.005)
    pull = morse_pull()
    mirrored = Pull(pull.step, -pull.d, -pull.target, -pull.force, pull.work)
    assert letting_go(mirrored, window=0.02) == pytest.approx(-expected, abs=0.005)
    short = Pull(*(getattr(pull, name)[:1500] for name in ("step", "d", "target", "force", "work")))
    assert np.isnan(letting_go(short, 0.05))
    slack = Pull(pull.step, pull.d, pull.target, -1.0 - np.abs(pull.force), pull.work)  # the spring never pulled
    assert np.isnan(letting_go(slack, 0.05))


def test_a_pull_that_ends_before_the_break_says_so() -> None:
    pull = morse_pull()
    short = Pull(*(getattr(pull, name)[:1500] for name in ("step", "d", "target", "force", "work")))
    assert short.force[-1] > 0.9 * F_MAX
    assert not find_break(short, 0.05).broken


def test_pushing_together_is_the_mirror_image() -> None:
    pull = morse_pull()
    mirrored = Pull(pull.step, -pull.d, -pull.target, -pull.force, pull.work)
    one, other = find_break(pull, 0.05), find_break(mirrored, 0.05)
    assert (other.d, other.force, other.work) == (-one.d, -one.force, one.work)
    assert other.broken


def test_window_out_of_range_and_a_still_spring_are_refused() -> None:
    with pytest.raises(ValueError, match="window 100: expected more than 0 and less than the way"):
        find_break(morse_pull(), 100.0)
    still = Pull(*(np.zeros(3) for _ in range(5)))
    with pytest.raises(ValueError, match="λ does not move"):
        find_break(still, 0.1)


def test_running_mean() -> None:
    values = np.random.default_rng(0).normal(size=20)
    mean = running_mean(values, 5)
    assert mean[0] == pytest.approx(values[0])
    assert mean[1] == pytest.approx(values[:3].mean())
    assert mean[10] == pytest.approx(values[8:13].mean())
    assert mean[-1] == pytest.approx(values[-1])


def test_jarzynski_of_gaussian_work() -> None:
    kT, sigma, mean = 0.5, 0.5, 3.0
    exact = mean - sigma**2 / (2 * kT)
    work = np.random.default_rng(3).normal(mean, sigma, 2000)
    free = jarzynski(work, kT)
    assert abs(free.value - exact) < 4 * free.error
    assert abs(free.cumulant - exact) < 4 * free.cumulant_error
    assert free.mean_work == pytest.approx(work.mean())
    # var of exp(-βW) / mean² is e^(σ²/kT²) - 1 = 1.72: error kT sqrt(1.72/n); the estimate of it scatters by 20 %
    assert free.error == pytest.approx(kT * np.sqrt((np.e - 1) / 2000), rel=0.2)
    # n_eff = n / <w²> = n e^(-σ²/kT²)
    assert free.n_effective == pytest.approx(2000 / np.e, rel=0.2)


def test_jackknife_error_and_bias_are_those_of_many_repetitions() -> None:
    kT, n = 1.0, 20
    work = np.random.default_rng(4).normal(0.0, 1.0, (n, 4000))
    free = jarzynski(work, kT)
    spread, bias = free.value.std(), free.value.mean() + 0.5
    # the mean of 4000 jackknife errors; itself low by some 10 % for 20 pulls of this width
    assert free.error.mean() == pytest.approx(spread, rel=0.15)
    assert bias > 5 * spread / np.sqrt(4000)  # the bias is real
    assert free.bias.mean() == pytest.approx(bias, rel=0.5)
    assert abs(free.value.mean() - free.bias.mean() + 0.5) < 0.5 * bias


def test_one_pull_has_no_error_and_no_pulls_no_answer() -> None:
    free = jarzynski(np.array([2.0]), 0.1)
    assert free.value == pytest.approx(2.0)
    assert np.isnan(free.error)
    with pytest.raises(ValueError, match="found none"):
        jarzynski(np.array([]), 0.1)
    with pytest.raises(ValueError, match="kT 0"):
        jarzynski(np.array([1.0]), 0.0)


def test_works_that_would_overflow() -> None:
    free = jarzynski(np.array([1e5, 1e5 + 1.0]), 0.01)
    assert free.value == pytest.approx(1e5 + 0.01 * np.log(2))


def drag_trap(n_pulls: int, seed: int) -> list[Pull]:
    """Drag Brownian particles that feel the spring alone from equilibrium; free energy cannot depend on λ.

    Overdamped, x' = -k (x - λ)/γ + noise, by the exact propagator of one step with λ held: the discrete protocol obeys
    Jarzynski's equality exactly when its work is that of the jumps of λ; the trapezoid differs by Δλ² order.
    """
    k, gamma, kT, rate, dt, n_steps = 5.0, 1.0, 1.0, 1.0, 0.005, 400
    rng = np.random.default_rng(seed)
    x = rng.normal(2.0, np.sqrt(kT / k), n_pulls)
    decay = np.exp(-k * dt / gamma)
    springs = [MovingSpring(k, rate, 2.0) for _ in range(n_pulls)]
    rows = np.empty((n_steps + 1, n_pulls, 4))
    for step in range(n_steps + 1):
        if step:
            target = springs[0].target
            x = target + (x - target) * decay + rng.normal(0, np.sqrt(kT / k * (1 - decay**2)), n_pulls)
        for i, spring in enumerate(springs):
            if step:
                spring.advance(dt)
            spring.evaluate(x[i])
            rows[step, i] = x[i], spring.target, spring.force, spring.work
    facts = {"k": "5.0", "rate": "1.0"}
    steps = np.arange(n_steps + 1)
    return [Pull(steps, *rows[:, i].T, facts=facts, name=f"pull {i}") for i in range(n_pulls)]


def test_dragging_a_trap_costs_work_but_no_free_energy() -> None:
    pulls = drag_trap(400, seed=5)
    target, free = jarzynski_profile(pulls, kT=1.0, n_points=9)
    assert target[0] == 2.0
    assert target[-1] == pytest.approx(4.0)
    # dissipation: rate γ per length, less what the start's lag saves: W = γ v (L - v γ/k (1 - e^(-kt/γ))) = 1.8
    assert free.mean_work[-1] == pytest.approx(1.8, abs=4 * np.std([p.work[-1] for p in pulls]) / 20)
    assert np.all(np.abs(free.cumulant[1:]) < 4 * free.cumulant_error[1:])  # work is Gaussian here
    assert np.all(np.abs(free.value[1:] - free.bias[1:]) < 4 * free.error[1:])
    assert free.value[-1] < 0.6 * free.mean_work[-1]


def test_pulls_of_different_protocols_are_refused() -> None:
    a, b = drag_trap(2, seed=6)
    with pytest.raises(ValueError, match=r"pull 1: rate is 2.0, in pull 0 it is 1.0"):
        check_one_protocol([a, Pull(b.step, b.d, b.target, b.force, b.work, {"k": "5.0", "rate": "2.0"}, b.name)])
    with pytest.raises(ValueError, match=r"λ starts at 2.1, in pull 0 at 2; .* the same `start`"):
        check_one_protocol([a, Pull(b.step, b.d, b.target + 0.1, b.force, b.work, b.facts, b.name)])


FACTS = {"units": "metal", "boltz": 8.617343e-5, "pulled": "atoms 1 4", "k": 5.0, "rate": 1.0}


def write_trace(path: Path, pull: Pull, **facts: object) -> None:
    file = TraceFile(path, FACTS | facts, writes=True)
    for row in zip(pull.step, pull.d, pull.target, pull.force, pull.work, strict=True):
        file.write(0.001 * row[0], int(row[0]), np.array(row[1:]))
    file.close()


def test_own_file_comes_back_with_every_bit(tmp_path: Path) -> None:
    pull = drag_trap(1, seed=7)[0]
    write_trace(tmp_path / "pull.txt", pull)
    read = read_pull(tmp_path / "pull.txt")
    for name in ("step", "d", "target", "force", "work"):
        np.testing.assert_array_equal(getattr(read, name), getattr(pull, name))
    assert read.facts["pulled"] == "atoms 1 4"
    assert float(read.facts["boltz"]) == 8.617343e-5


def test_file_goes_on_after_a_restart_without_repeated_rows(tmp_path: Path) -> None:
    path = tmp_path / "pull.txt"
    first = TraceFile(path, FACTS, writes=True)
    for step in range(3):
        first.write(0.001 * step, step, np.full(4, float(step)))
    state = first.state()
    first.write(0.003, 3, np.full(4, 33.0))  # written after the restart file, by a run that died
    first.close()
    second = TraceFile(path, FACTS, writes=True)
    second.load(state)
    second.write(0.003, 3, np.full(4, 3.0))
    second.close()
    assert read_pull(path).d.tolist() == [0.0, 1.0, 2.0, 3.0]


def test_files_of_earlier_versions(tmp_path: Path) -> None:
    """Without a time, and with spaces in a SET: they are read, and a pull that goes on starts a new file."""
    path = tmp_path / "pull.txt"
    path.write_text("#! FIELDS step d lambda force work\n#! SET pulled atoms 1 4\n#! SET k 5.0\n0 1.5 1.5 0 0\n")
    read = read_pull(path)
    assert read.facts == {"pulled": "atoms 1 4", "k": "5.0"}
    file = TraceFile(path, FACTS, writes=True)
    file.load({"path": str(path), "n_rows": 1})
    file.write(0.1, 100, np.ones(4))
    file.close()
    assert read_pull(path).step.tolist() == [100]
    assert read_pull(tmp_path / "pull.txt.bak1").step.tolist() == [0]


def test_reads_fix_print_and_thermo_output(tmp_path: Path) -> None:
    (tmp_path / "print.txt").write_text("# step d lambda force work\n0 1.5 1.5 0 0\n10 1.6 1.7 2.0 0.2\n")
    assert read_pull(tmp_path / "print.txt").work.tolist() == [0.0, 0.2]
    log = (
        "   Step          Temp        f_pull[1]      f_pull[2]      f_pull[3]      f_pull[4]   \n"
        "         0   300   1.5  1.5  0.0  0.0\nWARNING: something\n        10   299   1.6  1.7  2.0  0.2\n"
        "Loop time of 1 on 1 procs\n"
    )
    again = log.replace("         0   300   1.5  1.5  0.0  0.0", "        10   299   1.6  1.7  2.0  0.2")
    again = again.replace("        10   299   1.6  1.7  2.0  0.2\nLoop", "        20   301   1.7  1.8  2.1  0.5\nLoop")
    (tmp_path / "log.lammps").write_text(f"units metal\n{log}\nrun 10\n{again}")
    pull = read_pull(tmp_path / "log.lammps")
    assert pull.step.tolist() == [0, 10, 20]
    assert pull.target.tolist() == [1.5, 1.7, 1.8]
    both = log.replace("Temp ", "f_b[4] ")
    (tmp_path / "two").write_text(both)
    with pytest.raises(ValueError, match="several fixes, b, pull; name one"):
        read_pull(tmp_path / "two")
    assert read_pull(tmp_path / "two", fix="pull").d.tolist() == [1.5, 1.6]
    (tmp_path / "other").write_text("nothing here\n")
    with pytest.raises(ValueError, match="no column step"):
        read_pull(tmp_path / "other")


def test_report_command(tmp_path: Path) -> None:
    for i in range(3):
        write_trace(tmp_path / f"pull{i}.txt", morse_pull(noise=0.1, seed=i))
    files = [str(tmp_path / f"pull{i}.txt") for i in range(3)]
    done = CliRunner().invoke(app, ["smd", "report", *files, "--temperature", "300", "--json"])
    assert done.exit_code == 0, done.output
    result = json.loads(done.output)
    assert result["kT"] == pytest.approx(0.0258520, abs=1e-7)
    assert [pull["activation_energy"] for pull in result["pulls"]] == pytest.approx([4.0] * 3, abs=0.01)
    assert result["profile"]["free_energy"][-1] == pytest.approx(4.0, abs=0.01)
    text = CliRunner().invoke(app, ["smd", "report", *files, "--temperature", "300"])
    assert text.exit_code == 0
    said = " ".join(text.output.split())
    assert "activation energy, breaking distance, largest force, pull eV Å eV/Å broken" in said
    assert "(statistical, 3 pulls), in eV" in said
    assert "effective pulls), in eV, λ in Å" in said
    missing = CliRunner().invoke(app, ["smd", "report", "nowhere.txt", "--temperature", "300"])
    assert missing.exit_code == 1
    assert "nowhere.txt" in missing.output


def test_report_needs_units_where_the_file_has_none(tmp_path: Path) -> None:
    (tmp_path / "print.txt").write_text("# step d lambda force work\n0 1 1 0 0\n1 1.5 2 1 1\n2 2.5 3 0 1.5\n")
    command = ["smd", "report", str(tmp_path / "print.txt"), "--temperature", "300"]
    assert "give --units metal|real|lj" in CliRunner().invoke(app, command).output
    assert CliRunner().invoke(app, [*command, "--units", "real"]).exit_code == 0


def test_equivalent_pulls_of_different_atoms_are_averaged_on_request(tmp_path: Path) -> None:
    def report(*options: str, **facts: object) -> dict:
        for i in range(3):
            write_trace(tmp_path / f"pull{i}.txt", morse_pull(noise=0.1, seed=i), pulled=f"atoms 1 {4 + i}")
        write_trace(tmp_path / "pull2.txt", morse_pull(noise=0.1, seed=2), **{"pulled": "atoms 1 6"} | facts)
        files = [str(tmp_path / f"pull{i}.txt") for i in range(3)]
        done = CliRunner().invoke(app, ["smd", "report", *files, "--temperature", "300", "--json", *options])
        assert done.exit_code == 0, done.output
        return json.loads(done.output)

    refused = report()
    assert refused["profile"] == {}
    assert any("pulled is atoms 1 5" in note and "--equivalent-atoms" in note for note in refused["notes"])
    averaged = report("--equivalent-atoms")
    assert averaged["profile"]["free_energy"][-1] == pytest.approx(4.0, abs=0.01)
    assert any("treated as equivalent: atoms 1 4, atoms 1 5, atoms 1 6" in note for note in averaged["notes"])
    for other in ({"k": 6.0}, {"rate": 2.0}, {"pulled": "groups a b"}):
        assert report("--equivalent-atoms", **other)["profile"] == {}
