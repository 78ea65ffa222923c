// The Python interpreter of this process: started here under `lmp`, found running under Python.
#pragma once

namespace nnpal {

// Start Python unless it runs already, and leave its lock (GIL) free. Returns false if it cannot be started.
bool ensure_interpreter();

}    // namespace nnpal
