// The virial of an edge: vec (x) force on its neighbor.
#pragma once

#include "tally.h"

namespace nnpal {

inline OrderedVirial edge_virial(const double *vec, const double *force, double unit)
{
  double w[9];
  for (int a = 0; a < 3; ++a)
    for (int b = 0; b < 3; ++b) w[3 * a + b] = vec[a] * (force[b] * unit);
  return {w, 1.0};
}

}    // namespace nnpal
