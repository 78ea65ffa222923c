// Layers for a few atoms, stored atom by atom: lanes run over inputs, so that no lane is padding and weights
// are read in whole registers, once for up to kAtoms atoms.
#pragma once

#include "networks/networks_cpu.h"
#include "support/lane_sums.h"
#include "support/partial_lanes.h"

namespace nnpal::NNPAL_ISA {

// Size of a tile: atoms, and outputs (forward) or registers of inputs (backward). The sums use half of the
// processor's registers.
constexpr int kAtoms = NNPAL_VECTOR_BYTES == 64 ? 4 : 2, kOutputs = 4, kInputs = 4;

// Whether lanes over inputs are faster than lanes over n atoms, most of which would be padding. Measured on
// AMD Zen 4 with layers of 240-224-192-160: they break even at 13 of 16 lanes, and at 5 of 8 and 4 of 4.
template <class T> bool are_few(int n)
{
  const int padded = (n + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
  return n <= 24 && (NNPAL_VECTOR_BYTES == 64 ? 4 * n <= 3 * padded : 2 * n <= padded);
}

// z [n_outputs] of each of n_atoms = Σ weight [n_outputs, n_in] in, rows of `in` being `stride_in` apart.
// `is_first`: first to read these weights.
template <int n_outputs, int n_atoms, class T>
NNPAL_INLINE void outputs_tile(int n_in, const Parts &parts, const T *weight, bool is_first, const T *in,
                               std::int64_t stride_in, T *z, std::int64_t stride_z)
{
  constexpr int kLine = 64 / static_cast<int>(sizeof(T));
  constexpr int kSums = (n_atoms * n_outputs + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
  Lanes<T> sums[kSums];
#pragma GCC unroll 16
  for (int k = 0; k < kSums; ++k) sums[k] = Lanes<T>(T(0));
  const auto add = [&](const T *w, const T *x, const auto &get) __attribute__((always_inline)) {
    Lanes<T> weights[n_outputs];
#pragma GCC unroll 4
    for (int o = 0; o < n_outputs; ++o) weights[o] = get(w + static_cast<std::int64_t>(o) * n_in);
#pragma GCC unroll 4
    for (int a = 0; a < n_atoms; ++a) {
      const Lanes<T> operand = get(x + a * stride_in);
#pragma GCC unroll 4
      for (int o = 0; o < n_outputs; ++o)
        sums[a * n_outputs + o] = sums[a * n_outputs + o] + weights[o] * operand;
    }
  };
  for (int p = 0; p < parts.n; in += parts.parts[p++].n) {
    const T *const w = weight + parts.parts[p].begin;
    const int n = parts.parts[p].n;
    int i = 0;
    for (; i + kLanes<T> <= n; i += kLanes<T>) {
      if (is_first && i % kLine == 0) {
#pragma GCC unroll 4
        for (int o = 0; o < n_outputs; ++o)    // of the next tile
          __builtin_prefetch(w + static_cast<std::int64_t>(n_outputs + o) * n_in + i);
      }
      add(w + i, in + i, [](const T *from) { return load(from); });
    }
    if (i < n) add(w + i, in + i, [&](const T *from) { return load_first(from, n - i); });
  }
  T totals[kSums];
#pragma GCC unroll 8
  for (int k = 0; k < kSums; k += kLanes<T>) sums_of(sums + k, totals + k);
  for (int a = 0; a < n_atoms; ++a)
    std::memcpy(z + a * stride_z, totals + a * n_outputs, n_outputs * sizeof(T));
}

// in of each of n_atoms, `n` numbers in n_vectors registers, = Σ_o out [n_out] weight [n_out, n_in].
template <int n_vectors, int n_atoms, class T>
NNPAL_INLINE void inputs_tile(int n_out, int n_in, int n, const T *weight, const T *out, const T *slope,
                              T *in, std::int64_t stride_in)
{
  Lanes<T> sums[n_atoms][n_vectors];
#pragma GCC unroll 4
  for (int a = 0; a < n_atoms; ++a)
#pragma GCC unroll 4
    for (int v = 0; v < n_vectors; ++v) sums[a][v] = Lanes<T>(T(0));
  const int n_last = n - (n_vectors - 1) * kLanes<T>;
  for (int o = 0; o < n_out; ++o, weight += n_in) {
    Lanes<T> weights[n_vectors];
#pragma GCC unroll 4
    for (int v = 0; v + 1 < n_vectors; ++v) weights[v] = load(weight + v * kLanes<T>);
    weights[n_vectors - 1] = load_first(weight + (n_vectors - 1) * kLanes<T>, n_last);
#pragma GCC unroll 4
    for (int a = 0; a < n_atoms; ++a) {
      const Lanes<T> operand(out[static_cast<std::int64_t>(a) * n_out + o]);
#pragma GCC unroll 4
      for (int v = 0; v < n_vectors; ++v) sums[a][v] = sums[a][v] + weights[v] * operand;
    }
  }
#pragma GCC unroll 4
  for (int a = 0; a < n_atoms; ++a)
#pragma GCC unroll 4
    for (int v = 0; v < n_vectors; ++v) {
      const int n_own = v + 1 < n_vectors ? kLanes<T> : n_last;
      const std::int64_t at = a * stride_in + v * kLanes<T>;
      store_first(in + at, slope ? sums[a][v] * load_first(slope + at, n_own) : sums[a][v], n_own);
    }
}

// act.operator()<k>(first) on `n` items: k = kMost at a time, then the rest at once.
template <int kMost, class Act> NNPAL_INLINE void in_groups(int n, const Act &act)
{
  int first = 0;
  for (; first + kMost <= n; first += kMost) act.template operator()<kMost>(first);
  const int rest = n - first;
  if constexpr (kMost > 3)
    if (rest == 3) act.template operator()<3>(first);
  if constexpr (kMost > 2)
    if (rest == 2) act.template operator()<2>(first);
  if (rest == 1) act.template operator()<1>(first);
}

// z [n_atoms, n_out] = in [n_atoms, n_columns of the parts] · weight [n_out, n_in] transposed.
template <class T>
void few_outputs(int n_out, int n_in, const Parts &parts, int n_atoms, const T *weight, const T *in, T *z)
{
  std::int64_t n_columns = 0;
  for (int p = 0; p < parts.n; ++p) n_columns += parts.parts[p].n;
  in_groups<kOutputs>(n_out, [&]<int n_outputs>(int o) {
    in_groups<kAtoms>(n_atoms, [&]<int n>(int a) {
      outputs_tile<n_outputs, n>(n_in, parts, weight + static_cast<std::int64_t>(o) * n_in, a == 0,
                                 in + a * n_columns, n_columns, z + static_cast<std::int64_t>(a) * n_out + o,
                                 n_out);
    });
  });
}

// in [n_atoms, n_columns of the parts] = out [n_atoms, n_out] · weight [n_out, n_in], times slope if that is
// not null.
template <class T>
void few_inputs(int n_out, int n_in, const Parts &parts, int n_atoms, const T *weight, const T *out,
                const T *slope, T *in)
{
  std::int64_t n_columns = 0, column = 0;
  for (int p = 0; p < parts.n; ++p) n_columns += parts.parts[p].n;
  for (int p = 0; p < parts.n; column += parts.parts[p++].n) {
    const int n_of_part = parts.parts[p].n, n_vectors = (n_of_part + kLanes<T> - 1) / kLanes<T>;
    in_groups<kInputs>(n_vectors, [&]<int n_now>(int v) {
      const int i = v * kLanes<T>, n_rest = n_of_part - i;
      const int n = n_rest < n_now * kLanes<T> ? n_rest : n_now * kLanes<T>;
      in_groups<kAtoms>(n_atoms, [&]<int n_own>(int a) {
        const std::int64_t at = a * n_columns + column + i;
        inputs_tile<n_now, n_own>(n_out, n_in, n, weight + parts.parts[p].begin + i,
                                  out + static_cast<std::int64_t>(a) * n_out, slope ? slope + at : nullptr,
                                  in + at, n_columns);
      });
    });
  }
}

}    // namespace nnpal::NNPAL_ISA
