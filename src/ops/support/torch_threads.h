// Work of core/ on torch's intra-op threads; see CMakeLists.txt for the files that may include it.
#pragma once

#include "support/parallel.h"

#include <ATen/Parallel.h>

namespace nnpal {

inline void on_torch_threads(std::int64_t n, std::int64_t grain, const RangeAction &act)
{
  at::parallel_for(0, n, grain, act);
}

}    // namespace nnpal
