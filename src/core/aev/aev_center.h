// One center's AEV and its products with derivatives, over plain or dual numbers.
//
//   radial   G_k   = 1/4 Σ_j exp(-η_R (r_j - s_k)²) f(r_j)
//   angular  G_kq  = Σ_{j<l} w 2 x_q^ζ exp(-η_A (m - s_k)²),  m = (r_j + r_l)/2,  w = f(r_j) f(r_l),
//            x_q   = (1 + cos(θ - θ_q))/2,  cos θ = 0.95 u_j·u_l   (u: unit vectors)
//
// of ANI (doi:10.1039/C6SC05720A, equations 3 and 4) with TorchANI's factors 1/4, 2 and 0.95; radial terms
// for each element of the neighbor, angular ones for each pair of elements. cos(θ - θ_q) = cosθ cosθ_q +
// sinθ sinθ_q needs no arc cosine.
#pragma once

#include "aev/aev_columns.h"
#include "aev/angular_terms.h"

namespace nnpal::NNPAL_ISA {

template <class N> class Center {
public:
  using T = typename N::Scalar;

  // `most_edges`: maximum over the centers; `n_gradients`: for one backward pass (0: none).
  Center(const AEVTerms<T> &terms, int most_edges, int n_gradients) :
      terms_(terms),
      n_gradients_(n_gradients),
      padded_(CenterEdges<N>::padded(most_edges, terms.n_elements)),
      radial_(terms),
      angular_(terms, n_gradients)
  {
  }

  std::size_t bytes() const
  {
    return EdgeGradients<N>::bytes(n_gradients_, padded_) + radial_.bytes() + angular_.bytes();
  }
  void take(Scratch &scratch)
  {
    gradients_.take(n_gradients_, padded_, scratch);
    radial_.take(scratch);
    angular_.take(scratch);
  }

  // Number of values of the angular terms that are kept for the backward pass.
  std::size_t n_kept(const CenterEdges<N> &edges, const AEVColumns &columns) const
  {
    std::size_t n = 0;
    for_element_pairs([&](int a, int b, int pair) {
      if (columns.column[pair] >= 0) n += angular_.n_kept(edges, a, b);
    });
    return n;
  }

  // The AEV's columns, or for dual numbers their derivatives. `kept` [n_kept], or null, is for backward.
  void forward(const CenterEdges<N> &edges, const AEVColumns &columns, T *aev, N *kept)
  {
    for (int e = 0; e < terms_.n_elements; ++e)
      if (columns.column[e] >= 0) radial_.forward(edges, e, aev + columns.column[e]);
    for_element_pairs([&](int a, int b, int pair) {
      if (columns.column[pair] >= 0) angular_.forward(edges, a, b, aev + columns.column[pair], kept);
    });
  }

  // Computes ∂E/∂vec of the center's edges from ∂E/∂AEV (gradients `stride` apart), or for dual numbers its
  // derivative. `kept` is from forward, or null. A part with edges must have a column.
  void backward(const CenterEdges<N> &edges, const AEVColumns &columns, const T *gradients,
                std::int64_t stride, N *kept)
  {
    for (int g = 0; g < n_gradients_; ++g) gradients_.clear(g, edges, terms_.n_elements);
    for (int e = 0; e < terms_.n_elements; ++e)
      if (columns.column[e] >= 0)
        radial_.backward(edges, e, n_gradients_, gradients + columns.column[e], stride, gradients_.r);
    for_element_pairs([&](int a, int b, int pair) {
      if (columns.column[pair] >= 0)
        angular_.backward(edges, a, b, gradients + columns.column[pair], stride, kept, gradients_);
    });
    for (int g = 0; g < n_gradients_; ++g) gradients_.finish(g, edges, terms_.n_elements);
  }

  // One axis of ∂E/∂vec of gradient g, by place.
  const T *gradient(int g, int axis) const { return gradients_.axis(g, axis); }

private:
  const AEVTerms<T> &terms_;
  const int n_gradients_, padded_;
  RadialTerms<N> radial_;
  AngularTerms<N> angular_;
  EdgeGradients<N> gradients_;

  template <class Do> void for_element_pairs(const Do &act) const
  {
    int pair = terms_.n_elements;
    for (int a = 0; a < terms_.n_elements; ++a)
      for (int b = a; b < terms_.n_elements; ++b, ++pair) act(a, b, pair);
  }
};

}    // namespace nnpal::NNPAL_ISA
