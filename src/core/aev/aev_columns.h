// Where the parts of an AEV stand in a row: a part for each element, then one for each pair of elements a <=
// b, in the order (0, 0), (0, 1), ... (1, 1), ... Parts of elements that no center of a block has near are 0
// and may be left out.
#pragma once

namespace nnpal {

struct AEVColumns {
  int n;                // columns of a row
  const int *column;    // [n_elements + n_pairs] a part's first; -1: left out
};

}    // namespace nnpal
