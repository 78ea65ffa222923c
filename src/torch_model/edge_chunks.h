// Division of the centers into chunks, and the capacity for their edges before their number is known.
#pragma once

#include <cstdint>
#include <vector>

namespace nnpal {

// Parts of the centers end at multiples of this number.
constexpr std::int64_t kCentersOfPart = 256;

// The number of edges before every kCentersOfPart-th center and of all.
struct EdgeMarks {
  std::int64_t n_centers = -1;    // -1: not known
  std::vector<std::int64_t> before;
};

// Centers first ... last, with the capacity for their edges.
struct Chunk {
  std::int64_t first, last, n_edges;

  std::int64_t n_centers() const { return last - first; }
  // A model's centers come first, so those of a part are placed before all atoms
  std::int64_t shift() const { return first > 0 ? n_centers() : 0; }
};

// Each chunk has whole parts of centers with up to most_edges edges in total; with_room adds capacity for a
// few more, if the marks are from other positions.
std::vector<Chunk> divide(const EdgeMarks &marks, std::int64_t most_edges, bool with_room);

// Whether each chunk has enough capacity for its edges. Chunks are whole parts.
bool fit(const std::vector<Chunk> &chunks, const EdgeMarks &marks);

}    // namespace nnpal
