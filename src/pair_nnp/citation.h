#pragma once

namespace nnpal {

// What LAMMPS lists where a script uses the style: a line in the log, BibTeX in the file of `lmp -cite FILE`.
extern const char *const CITATION;

}    // namespace nnpal
