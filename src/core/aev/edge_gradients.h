// Gradients with respect to a center's edges while they are summed, in the order of CenterEdges.
#pragma once

#include "aev/aev_center_edges.h"

namespace nnpal::NNPAL_ISA {

// A row for each gradient.
template <class N> struct GradientRows {
  Row<N> first;
  std::size_t step = 0;

  static std::size_t bytes(int n_gradients, int n) { return n_gradients * row_bytes<N>(n); }

  void take(int n_gradients, int n, Scratch &scratch)
  {
    step = row_bytes<N>(n) / sizeof(typename N::Scalar);
    for (int g = 0; g < n_gradients; ++g) {
      const Row<N> taken = take_row<N>(n, scratch);
      if (g == 0) first = taken;
    }
  }

  NNPAL_INLINE Row<N> operator[](int g) const
  {
    Row<N> row{first.v + g * step, nullptr};
    if constexpr (N::kIsDual) row.d = first.d + g * step;
    return row;
  }
};

template <class N> NNPAL_INLINE void add(const Row<N> &row, int i, N value)
{
  store(row, i, load(row, i) + value);
}

// First gradients with respect to unit vectors (x, y, z) and distances (r), then to the edges' vectors.
template <class N> struct EdgeGradients {
  using T = typename N::Scalar;
  static constexpr int kWidth = kLanes<T>;

  GradientRows<N> x, y, z, r;

  static std::size_t bytes(int n_gradients, int n_edges)
  {
    return 4 * GradientRows<N>::bytes(n_gradients, n_edges);
  }
  void take(int n_gradients, int n_edges, Scratch &scratch)
  {
    for (GradientRows<N> *one : {&x, &y, &z, &r}) one->take(n_gradients, n_edges, scratch);
  }

  // Only edges within the angular cutoff have gradients with respect to unit vectors.
  void clear(int g, const CenterEdges<N> &edges, int n_elements) const
  {
    const N zero(T(0));
    for (int e = 0; e < n_elements; ++e)
      for (int b = edges.group[e]; b < edges.group[e] + edges.n_near[e]; b += kWidth)
        for (const GradientRows<N> *rows : {&x, &y, &z}) store((*rows)[g], b, zero);
  }

  // ∂E/∂vec = g_r u + (g_u - (g_u·u) u)/r
  void finish(int g, const CenterEdges<N> &edges, int n_elements) const
  {
    const Row<N> gx = x[g], gy = y[g], gz = z[g], gr = r[g];
    for (int e = 0; e < n_elements; ++e) {
      int b = edges.group[e];
      for (; b < edges.group[e] + edges.n_near[e]; b += kWidth) {
        const N ex = load(edges.x, b), ey = load(edges.y, b), ez = load(edges.z, b);
        const N inverse = N(T(1)) / load(edges.r, b);
        const N ux = load(gx, b), uy = load(gy, b), uz = load(gz, b);
        const N along = load(gr, b) - (ux * ex + uy * ey + uz * ez) * inverse;
        store(gx, b, along * ex + ux * inverse);
        store(gy, b, along * ey + uy * inverse);
        store(gz, b, along * ez + uz * inverse);
      }
      for (; b < edges.group[e + 1]; b += kWidth) {
        const N along = load(gr, b);
        store(gx, b, along * load(edges.x, b));
        store(gy, b, along * load(edges.y, b));
        store(gz, b, along * load(edges.z, b));
      }
    }
  }

  // One axis of gradient g, by place; for dual numbers the derivatives.
  const T *axis(int g, int a) const
  {
    const Row<N> row = a == 0 ? x[g] : a == 1 ? y[g] : z[g];
    return N::kIsDual ? row.d : row.v;
  }
};

}    // namespace nnpal::NNPAL_ISA
