// How work is shared by threads, which is up to the caller: torch's threads in Python, OpenMP's in LAMMPS.
#pragma once

#include <cstdint>
#include <functional>

namespace nnpal {

// Act on parts [first, last) of [0, n).
using RangeAction = std::function<void(std::int64_t first, std::int64_t last)>;

// Share [0, n) among threads, none of which gets fewer than `grain` unless there are no more. Returns when
// all is done; throws what an action throws.
using ParallelFor = std::function<void(std::int64_t n, std::int64_t grain, const RangeAction &act)>;

}    // namespace nnpal
