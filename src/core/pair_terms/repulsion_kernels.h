// The repulsion of one edge, for all devices.
//
//   E_i = 1/2 Σ_j e(r_ij) f(r_ij),   e = y_ab/R exp(-α_ab R^k_ab),   R = r in bohr
//
// y_ab = Y_a Y_b, α_ab = sqrt(α_a α_b), k_ab = 3/2, or 1 for H-H, of GFN2-xTB (doi:10.1021/acs.jctc.8b01176),
// in TorchANI's form: every pair is damped by the cutoff function f of the model.
#pragma once

#include "pair_terms/repulsion_edges.h"
#include "support/portable_kernel.h"

namespace nnpal::NNPAL_TWIN {

// f(r) and f'(r) within the cutoff, as in TorchANI.
template <class T> NNPAL_KERNEL void damping(EdgeCutoff kind, T r, T cutoff, T &value, T &slope)
{
  value = T(1);
  slope = T(0);
  const T u = r / cutoff;
  if (kind == EdgeCutoff::kSmooth) {    // exp(1 - 1/(1 - u²))
    const T rest = T(1) - u * u;
    if (rest < T(1e-10)) {
      value = T(0);
      return;
    }
    value = std::exp(T(1) - T(1) / rest);
    slope = T(-2) * u / cutoff * value / (rest * rest);
  } else if (kind == EdgeCutoff::kCosine) {
    constexpr T kPi = T(3.14159265358979323846);
    value = T(0.5) * std::cos(kPi * u) + T(0.5);
    slope = T(-0.5) * kPi / cutoff * std::sin(kPi * u);
  }
}

template <class T> NNPAL_KERNEL T power(T base, T exponent)
{
  if (exponent == T(1.5)) return base * std::sqrt(base);
  return exponent == T(1) ? base : std::pow(base, exponent);
}

// Parameters of an element's pairs with the others, in the model's units.
template <class T> struct PairRepulsion {
  EdgeCutoff cutoff_kind;
  T cutoff, energy_scale, length_scale;    // Å; to eV; of Å
  std::int64_t n_pairs;
  const T *parameters;    // [3 * n_pairs]

  // Half of the energy of a pair at distance r, eV; and its derivative divided by r, eV/Å².
  NNPAL_KERNEL void operator()(std::int64_t pair, T r, T &energy, T &slope_by_r) const
  {
    constexpr T kClosest = T(1e-7);    // Å; TorchANI's lower bound, against divisions by 0
    energy = slope_by_r = T(0);
    if (r >= cutoff) return;    // false for NaN
    const T y = parameters[pair], alpha = parameters[n_pairs + pair],
            exponent = parameters[2 * n_pairs + pair];
    const bool is_close = r < kClosest;
    const T length = (is_close ? kClosest : r) * length_scale;
    const T decay = alpha * power(length, exponent);
    const T undamped = T(0.5) * energy_scale * y / length * std::exp(-decay);
    T f, f_slope;
    damping(cutoff_kind, r, cutoff, f, f_slope);
    energy = undamped * f;
    if (!is_close) slope_by_r = undamped * (f_slope - f * (T(1) + exponent * decay) / r) / r;
  }
};

template <class T> struct EdgeRepulsion : Always {
  RepulsionEdges<T> edges;

  explicit EdgeRepulsion(const RepulsionEdges<T> &all) : edges(all) {}

  NNPAL_KERNEL void operator()(std::int64_t item) const
  {
    const std::int64_t edge = edges.first + item;
    const std::int64_t center = edges.center[edge], neighbor = edges.neighbor[edge];
    T *gradient = edges.gradients + 3 * edge;
    edges.energies[edge] = gradient[0] = gradient[1] = gradient[2] = T(0);
    if (center == edges.n_local && neighbor == -1) return;    // padding
    if (center < 0 || center >= edges.n_local) refuse("edge_index[0, ", edge, center, edges.n_local);
    if (neighbor < 0 || neighbor >= edges.n_atoms) refuse("edge_index[1, ", edge, neighbor, edges.n_atoms);
    const T *vec = edges.vec + 3 * edge;
    const T r = std::sqrt(vec[0] * vec[0] + vec[1] * vec[1] + vec[2] * vec[2]);
    const std::int64_t pair =
        element_of(center) * static_cast<std::int64_t>(edges.n_elements) + element_of(neighbor);
    const PairRepulsion<T> repulsion{edges.cutoff_kind,
                                     edges.cutoff,
                                     edges.energy_scale,
                                     edges.length_scale,
                                     static_cast<std::int64_t>(edges.n_elements) * edges.n_elements,
                                     edges.parameters};
    T slope_by_r;
    repulsion(pair, r, edges.energies[edge], slope_by_r);
    for (int k = 0; k < 3; ++k) gradient[k] = slope_by_r * vec[k];
  }

private:
  NNPAL_KERNEL std::int64_t element_of(std::int64_t atom) const
  {
    const std::int64_t element = edges.species[atom];
    if (element < 0 || element >= edges.n_elements) refuse("species[", atom, element, edges.n_elements);
    return element;
  }
};

}    // namespace nnpal::NNPAL_TWIN
