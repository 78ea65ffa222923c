// Which centers are evaluated together, and how much room their edges get before their number is known.
#pragma once

#include <cstdint>
#include <vector>

namespace nnpal {

// Parts of the centers end at multiples of so many.
constexpr std::int64_t kCentersOfPart = 256;

// The number of edges before every kCentersOfPart-th center and of all.
struct EdgeMarks {
  std::int64_t n_centers = -1;    // -1: not known
  std::vector<std::int64_t> before;
};

// Centers first ... last, with room for so many edges.
struct Chunk {
  std::int64_t first, last, n_edges;

  std::int64_t n_centers() const { return last - first; }
  // Centers come first among a model's atoms, so for a part of them those are put before all
  std::int64_t shift() const { return first > 0 ? n_centers() : 0; }
};

// As many centers in each as have most_edges edges together, whole parts of them; with_room for a few more
// edges, where the marks are those of other positions.
std::vector<Chunk> divide(const EdgeMarks &marks, std::int64_t most_edges, bool with_room);

// Whether each chunk has room for its edges. Chunks are whole parts.
bool fit(const std::vector<Chunk> &chunks, const EdgeMarks &marks);

}    // namespace nnpal
