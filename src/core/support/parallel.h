// Sharing of work among threads, which the caller provides: torch's in Python, OpenMP's in LAMMPS.
#pragma once

#include <cstdint>
#include <functional>

namespace nnpal {

// Act on parts [first, last) of [0, n).
using RangeAction = std::function<void(std::int64_t first, std::int64_t last)>;

// Share [0, n) among threads, in parts of at least `grain` if possible. Returns when all are done; rethrows
// what an action throws.
using ParallelFor = std::function<void(std::int64_t n, std::int64_t grain, const RangeAction &act)>;

}    // namespace nnpal
