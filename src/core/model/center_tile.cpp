#include "model/center_tile.h"

#include "aev/aev_terms.h"
#include "support/edge_order.h"

#include <algorithm>

namespace nnpal {

template <class T> void CenterTile::make_room(int centers, int n_elements, std::int64_t edges)
{
  n_centers = centers;
  capacity = edges;
  elements.resize(centers);
  start.resize(static_cast<std::size_t>(centers) * n_elements + 1);
  start[0] = 0;
  neighbor.resize(capacity);
  numbers<T>().vec.resize(3 * capacity + kReadBeyond);
}

template <class T> void sort_by_element(const Tile &from, int n_elements, CenterTile &to)
{
  static thread_local EdgeOrder sorted;
  sorted.sort({from.n_atoms(), from.n_centers, from.n_edges(), from.species.data(), from.center.data(),
               from.neighbor.data()},
              n_elements);
  to.make_room<T>(from.n_centers, n_elements, from.n_edges());
  std::copy_n(from.species.begin(), from.n_centers, to.elements.begin());
  std::copy(sorted.start.begin(), sorted.start.end(), to.start.begin());
  to.n_edges = static_cast<int>(to.start.back());
  T *const vec = to.numbers<T>().vec.data();
  for (std::int64_t e = 0; e < to.n_edges; ++e) {
    const std::int64_t at = sorted.order[e];
    to.neighbor[e] = static_cast<int>(at);
    for (int k = 0; k < 3; ++k) vec[k * to.capacity + e] = static_cast<T>(from.edge_vec[3 * at + k]);
  }
}

template <class T>
void unsorted_result(CenterTile &computed, int n_members, bool with_member_gradients, int n_edges,
                     TileResult &result)
{
  const CenterNumbers<T> &numbers = computed.numbers<T>();
  result.energies.assign(numbers.energies.begin(), numbers.energies.end());
  const auto copy = [&](std::int64_t which, double *to) {
    const T *const from = numbers.gradients.data() + 3 * computed.capacity * which;
    for (std::int64_t e = 0; e < computed.n_edges; ++e)
      for (int k = 0; k < 3; ++k)
        to[3 * static_cast<std::int64_t>(computed.neighbor[e]) + k] =
            static_cast<double>(from[k * computed.capacity + e]);
  };
  const std::size_t size = 3 * static_cast<std::size_t>(n_edges);
  result.gradient.assign(size, 0.0);
  copy(0, result.gradient.data());
  result.member_gradient.assign(with_member_gradients ? n_members * size : 0, 0.0);
  for (int m = 0; with_member_gradients && m < n_members; ++m)
    copy(m + 1, result.member_gradient.data() + m * size);
}

void as_plain_tile(const CenterTile &from, int n_elements, Tile &to)
{
  to.clear();
  to.n_centers = from.n_centers;
  to.species = from.elements;
  const double *const vec = from.twofold.vec.data();
  for (std::int64_t c = 0; c < from.n_centers; ++c)
    for (std::int64_t element = 0; element < n_elements; ++element)
      for (std::int64_t e = from.start[c * n_elements + element];
           e < from.start[c * n_elements + element + 1]; ++e) {
        to.center.push_back(c);
        to.neighbor.push_back(to.n_atoms());
        to.species.push_back(element);
        for (int k = 0; k < 3; ++k) to.edge_vec.push_back(vec[k * from.capacity + e]);
      }
}

void take_result(const TileResult &result, CenterTile &to)
{
  to.twofold.energies = result.energies;
  const std::int64_t n_edges = to.n_edges, size = 3 * n_edges;
  const std::int64_t n_gradients =
      1 + (size > 0 ? static_cast<std::int64_t>(result.member_gradient.size()) / size : 0);
  to.twofold.gradients.resize(n_gradients * 3 * to.capacity);
  for (std::int64_t g = 0; g < n_gradients; ++g) {
    const double *const from =
        g == 0 ? result.gradient.data() : result.member_gradient.data() + (g - 1) * size;
    double *const at = to.twofold.gradients.data() + g * 3 * to.capacity;
    for (std::int64_t e = 0; e < n_edges; ++e)
      for (int k = 0; k < 3; ++k) at[k * to.capacity + e] = from[3 * e + k];
  }
}

template void CenterTile::make_room<float>(int, int, std::int64_t);
template void CenterTile::make_room<double>(int, int, std::int64_t);
template void sort_by_element<float>(const Tile &, int, CenterTile &);
template void sort_by_element<double>(const Tile &, int, CenterTile &);
template void unsorted_result<float>(CenterTile &, int, bool, int, TileResult &);
template void unsorted_result<double>(CenterTile &, int, bool, int, TileResult &);

}    // namespace nnpal
