#pragma once

namespace LAMMPS_NS {
class LAMMPS;
}

namespace nnpal {

// Have LAMMPS list the citation if a script uses the style: a line in the log, BibTeX in the file of `lmp
// -cite FILE`.
void cite(LAMMPS_NS::LAMMPS &lammps);

}    // namespace nnpal
