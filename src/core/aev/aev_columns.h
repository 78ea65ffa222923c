// Positions of the parts of an AEV in a row: a part for each element, then one for each pair of elements a <=
// b, in the order (0, 0), (0, 1), ... (1, 1), ... Parts of elements that are near no center of a block are 0
// and may be omitted.
#pragma once

namespace nnpal {

struct AEVColumns {
  int n;                // columns of a row
  const int *column;    // [n_elements + n_pairs] a part's first; -1: omitted
};

}    // namespace nnpal
