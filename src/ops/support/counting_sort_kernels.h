// Items grouped by a key: a counting sort whose result does not depend on the order in which threads run.
#pragma once

#include "support/portable_kernel.h"

namespace nnpal::NNPAL_TWIN {

// Sort numbers in ascending order by heap sort: in place, and n log n in the worst case.
NNPAL_KERNEL void sort_ascending(std::int32_t *numbers, std::int64_t n)
{
  const auto sift_down = [&](std::int64_t root, std::int64_t end) {
    const std::int32_t value = numbers[root];
    for (std::int64_t child = 2 * root + 1; child < end; child = 2 * root + 1) {
      if (child + 1 < end && numbers[child + 1] > numbers[child]) ++child;
      if (numbers[child] <= value) break;
      numbers[root] = numbers[child];
      root = child;
    }
    numbers[root] = value;
  };
  for (std::int64_t root = n / 2 - 1; root >= 0; --root) sift_down(root, n);
  for (std::int64_t end = n - 1; end > 0; --end) {
    const std::int32_t largest = numbers[0];
    numbers[0] = numbers[end];
    numbers[end] = largest;
    sift_down(0, end);
  }
}

// The three steps. Between the first two, counts must be summed: counts[i] = Σ_{j<=i} counts[j]. `only_if`
// may be null.
struct Grouping {
  const std::int64_t *key;    // [n_items] 0 to n_keys - 1
  std::int64_t *counts;       // [n_keys + 1] 0 at first
  std::int64_t *start;        // [n_keys + 1] first item of each key
  std::int32_t *order;        // [n_items] items by key, ascending for each
  const int *only_if;

  NNPAL_KERNEL bool is_needed() const { return !only_if || *only_if; }
};

struct CountKeys : Grouping {
  NNPAL_KERNEL void operator()(std::int64_t item) const
  {
    add_atomically(counts + key[item] + 1, std::int64_t(1));
  }
};

struct CopyStarts : Grouping {
  NNPAL_KERNEL void operator()(std::int64_t group) const { start[group] = counts[group]; }
};

// Advances counts to the ends of the groups.
struct PlaceItems : Grouping {
  NNPAL_KERNEL void operator()(std::int64_t item) const
  {
    order[add_atomically(counts + key[item], std::int64_t(1))] = static_cast<std::int32_t>(item);
  }
};

struct SortGroups : Grouping {
  NNPAL_KERNEL void operator()(std::int64_t group) const
  {
    sort_ascending(order + start[group], start[group + 1] - start[group]);
  }
};

inline void group_items(const Grouping &grouping, std::int64_t n_items, std::int64_t n_keys, Stream stream)
{
  launch_items(CopyStarts{grouping}, n_keys + 1, stream);
  launch_items(PlaceItems{grouping}, n_items, stream);
  launch_items(SortGroups{grouping}, n_keys, stream);
}

}    // namespace nnpal::NNPAL_TWIN
