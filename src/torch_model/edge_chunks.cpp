#include "edge_chunks.h"

#include <algorithm>

namespace nnpal {
namespace {

// Capacity beyond the expected number of edges: a fraction of it, and a constant.
constexpr std::int64_t kRoomShare = 50, kRoomEdges = 64;

}    // namespace

std::vector<Chunk> divide(const EdgeMarks &marks, std::int64_t most_edges, bool with_room)
{
  const auto &end = marks.before;
  const auto n_parts = static_cast<std::int64_t>(end.size()) - 1;
  const auto center = [&](std::int64_t part) { return std::min(part * kCentersOfPart, marks.n_centers); };
  std::vector<Chunk> chunks;
  for (std::int64_t first = 0, last; first < n_parts || chunks.empty(); first = last) {
    last = std::min(first + 1, n_parts);
    while (last < n_parts && end[last + 1] - end[first] <= most_edges) ++last;
    const std::int64_t n_edges = end[last] - end[first];
    chunks.push_back(
        {center(first), center(last), n_edges + (with_room ? n_edges / kRoomShare + kRoomEdges : 0)});
  }
  return chunks;
}

bool fit(const std::vector<Chunk> &chunks, const EdgeMarks &marks)
{
  const auto before = [&](std::int64_t center) {
    return marks.before[(center + kCentersOfPart - 1) / kCentersOfPart];
  };
  return std::all_of(chunks.begin(), chunks.end(), [&](const Chunk &chunk) {
    return before(chunk.last) - before(chunk.first) <= chunk.n_edges;
  });
}

}    // namespace nnpal
