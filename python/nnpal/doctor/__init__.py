"""Find out why an installation of nnpal does not work, and suggest fixes.

Every check is a function from facts (versions, paths, output of a command) to one `Check`. The
facts are gathered by small probes that start the user's own `lmp`, `mpirun` and `python` in a
temporary folder, so that a broken library ends a probe and never the doctor.
"""

from nnpal.doctor.diagnosis import diagnose
from nnpal.doctor.outcome import Check, Status

__all__ = ["Check", "Status", "diagnose"]
