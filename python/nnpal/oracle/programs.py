"""External programs of ASE calculators: their table [oracle.profile], what affects their results, and which of their
output ASE ignores.

Based on ASE 3.29, and on runs of Quantum ESPRESSO 6.7 and CP2K 2023.1; not tested with ORCA.
"""

from __future__ import annotations

import functools
import importlib
import re
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ase.calculators.genericfileio import BaseProfile

from nnpal.oracle.errors import OracleError
from nnpal.oracle.option_paths import option, with_option
from nnpal.runtime.child_process import environment_for, run_program
from nnpal.runtime.import_path import split_path

ESPRESSO = "ase.calculators.espresso:Espresso"
CP2K = "ase.calculators.cp2k:CP2K"
ORCA = "ase.calculators.orca:ORCA"
SECONDS = 60.0
"""Time limit for a program to print its version, s."""
OUTDIR = "input_data.control.outdir"
PSEUDO_DIR = "input_data.control.pseudo_dir"

Table = Mapping[str, Any]


@dataclass(frozen=True)
class Program:
    """Properties of an external program.

    Attributes:
        places: keys of the profile that are paths, which do not affect the results by themselves.
        version_words: arguments, in place of ``-s``, that make it print its version.
        version: regular expression that finds the version in the output.
        files: (options, profile) -> names and paths of files whose contents affect the results.
        complaint: output -> an error or warning that ASE ignores, or an empty string.
        lacks: (options, elements) -> elements without a file in the options, as a message, or an empty string.
        asks: options that make it write forces and stress, which ASE does not set.
        stress: option that turns the stress off; ASE's CP2K then returns zeros.
    """

    places: frozenset[str]
    version_words: tuple[str, ...]
    version: str
    files: Callable[[Table, Table], Iterator[tuple[str, Path]]]
    complaint: Callable[[str], str]
    lacks: Callable[[Table, Iterable[str]], str] = lambda options, symbols: ""
    asks: tuple[str, ...] = ()
    stress: str | None = None


def _espresso_files(options: Table, profile: Table) -> Iterator[tuple[str, Path]]:
    folder = Path(option(options, PSEUDO_DIR) or profile.get("pseudo_dir") or ".")
    for name in _pseudopotentials(options).values():
        yield str(name), folder / str(name)


def _pseudopotentials(options: Table) -> Table:
    found = option(options, "pseudopotentials") or {}
    if not isinstance(found, Mapping):
        raise OracleError(
            f"oracle.options.pseudopotentials = {found!r}: expected a table of a file for each element, such as "
            '{ Al = "Al.UPF" }'
        )
    return found


def _espresso_lacks(options: Table, symbols: Iterable[str]) -> str:
    given = _pseudopotentials(options)
    lacking = sorted(set(symbols) - set(given))
    return (
        f"no pseudopotential of {', '.join(lacking)}, only of {', '.join(sorted(given)) or 'no element'}; add "
        f'{lacking[0]} = "FILE" to oracle.options.pseudopotentials'
        if lacking
        else ""
    )


def _espresso_complaint(output: str) -> str:
    if (copies := output.count("Program PWSCF")) > 1:
        return (
            f"pw.x ran {copies} times independently, each on one processor: mpirun belongs to another MPI than pw.x "
            "(nnpal's own environment has MPICH's mpirun first); give oracle.profile.command its absolute path, such "
            "as "
            "/usr/bin/mpirun.openmpi -np 2 pw.x"
        )
    if "convergence NOT achieved" in output:
        return "the SCF did not converge (convergence NOT achieved): see electrons.electron_maxstep and mixing_beta"
    boxed = re.search(r"Error in routine.*?\n(.*?)\n\s*%%%", output, re.S)
    return "" if boxed is None else " ".join(boxed.group(0).replace("%", "").split())


def _cp2k_files(options: Table, profile: Table) -> Iterator[tuple[str, Path]]:
    for name, default in (("basis_set_file", "BASIS_MOLOPT"), ("potential_file", "POTENTIAL")):
        file = str(options.get(name, default))
        yield Path(file).name, Path(profile.get("data_dir", ".")) / file


def _cp2k_complaint(output: str) -> str:
    if "SCF run NOT converged" in output:
        return "the SCF did not converge (SCF run NOT converged): see max_scf, and SCF and MIXING in inp"
    boxed = re.search(r"\[ABORT\](.*?)\n\s*\n", output, re.S)
    return "" if boxed is None else " ".join(re.sub(r"[*|/\\_]|\bO/?", " ", boxed.group(1)).split())


def _nothing(*_: object) -> Iterator[tuple[str, Path]]:
    return iter(())


def _orca_complaint(output: str) -> str:
    return "the SCF did not converge" if "SCF NOT CONVERGED" in output else ""


PROGRAMS: Mapping[str, Program] = {
    ESPRESSO: Program(
        frozenset(("pseudo_dir",)),
        (),
        r"Program PWSCF\s*v\.(\S+)",
        _espresso_files,
        _espresso_complaint,
        lacks=_espresso_lacks,
        asks=("input_data.control.tprnfor", "input_data.control.tstress"),
        stress="input_data.control.tstress",
    ),
    CP2K: Program(
        frozenset(("data_dir",)),
        ("--version",),
        r"CP2K version (\S+)",
        _cp2k_files,
        _cp2k_complaint,
        stress="stress_tensor",
    ),
    ORCA: Program(frozenset(), ("nothing",), r"Program Version (\S+)", _nothing, _orca_complaint),
}


def program_behind(calculator: Any) -> Program | None:
    """Return the program that a calculator starts, or None if it is unknown."""
    for kind in type(calculator).__mro__:
        if found := PROGRAMS.get(f"{kind.__module__}:{kind.__qualname__}"):
            return found
    return None


def arguments(spec: str, options: Table, profile: Table) -> dict[str, Any]:
    """Return keyword arguments of the calculator ``MODULE:CLASS`` with the program of a profile.

    Arguments:
        options: other keyword arguments.
        profile: ``command``, and other keys of ASE's profile; texts without ``{folder}``.

    Raises:
        OracleError: no such program, or a calculator that starts none.
    """
    command = _found(spec, profile)
    if spec == CP2K:  # the only one of these calculators without a profile in ASE
        if unknown := sorted(set(profile) - {"command", "data_dir"}):
            raise OracleError(f"oracle.profile.{unknown[0]}: {spec} takes command and data_dir")
        data = profile.get("data_dir")
        return {**options, "command": f"env CP2K_DATA_DIR={shlex.quote(data)} {command}" if data else command}
    kind = _profile_class(spec)
    try:
        made = kind(**profile)
    except TypeError as error:
        raise OracleError(f"oracle.profile {dict(profile)}: {kind.__name__}: {error}") from error
    if spec == ESPRESSO and option(options, OUTDIR) is None:  # else pw.x uses ESPRESSO_TMPDIR, which workers share
        options = with_option(options, OUTDIR, "./")
    for path in PROGRAMS[spec].asks if spec in PROGRAMS else ():
        options = options if option(options, path) is not None else with_option(options, path, True)
    return {**options, "profile": made}


def program_identity(spec: str, profile: Table, stated: str | None) -> dict[str, Any]:
    """Return what affects the results of a program, except its files: its version, and other keys of the profile.

    Its path and number of processes do not.

    Arguments:
        stated: version, as the user states it; None asks the program.

    Raises:
        OracleError: no such program, or it does not print its version.
    """
    program = PROGRAMS.get(spec)
    places = {"command"} if program is None else {"command", *program.places}
    version = stated
    if version is None and program is not None:
        version = _version(spec, _found(spec, profile))
    return {"version": version, "profile": {key: value for key, value in profile.items() if key not in places}}


def program_files(spec: str, options: Table, profile: Table) -> dict[str, Path]:
    """Return names and paths of the files that a program reads and that affect the results."""
    program = PROGRAMS.get(spec)
    return {} if program is None else dict(program.files(options, profile))


def _found(spec: str, profile: Table) -> str:
    command = str(profile.get("command", "")).strip()
    words = shlex.split(command)
    if not words:
        raise OracleError(f"oracle.profile has no command; expected the program behind {spec}, e.g. command = 'pw.x'")
    place = shutil.which(words[0])
    if place is None:
        raise OracleError(
            f"oracle.profile.command = {command!r}: {words[0]} is not on PATH; give its absolute path ({{folder}} is "
            "the configuration file's). Where only the machines of the tasks have it, state oracle.version"
        )
    if spec == ORCA and Path(place).read_bytes()[:64].split(b"\n")[0].endswith(b"python3"):
        raise OracleError(
            f"oracle.profile.command: {place} is a Python script, GNOME's screen reader of that name; give ORCA's path"
        )
    return command


def _profile_class(spec: str) -> Any:
    module = importlib.import_module(split_path(spec)[0])
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, BaseProfile) and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise OracleError(
            f"oracle.profile: {spec} has no profile of ASE; leave the table out, and give a command in oracle.options "
            "where the calculator takes one"
        )
    return found[0]


@functools.cache
def _version(spec: str, command: str) -> str:
    program = PROGRAMS[spec]
    words = [word for word in shlex.split(command) if word != "-s"] + list(program.version_words)
    with tempfile.TemporaryDirectory() as folder:
        ended = run_program(words, Path(folder), environment_for(1), limit=SECONDS)
    found = re.search(program.version, ended.output)
    if found is None:
        last = " | ".join([line.strip() for line in ended.output.splitlines() if line.strip()][-3:])
        raise OracleError(f"{shlex.join(words)} does not print its version, set oracle.version; it printed: {last}")
    return found.group(1)
