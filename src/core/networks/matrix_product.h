// Products of weights with features, atom by atom in the lanes of registers.
#pragma once

#include "support/simd_lanes.h"

namespace nnpal::NNPAL_ISA {

// Registers of a tile: kRows of the result by kColumns vectors of atoms, beside them kColumns of the operand.
constexpr int kRows = 6, kColumns = NNPAL_VECTOR_BYTES == 64 ? 4 : 2;

// How the weight of result i and operand k is found: at[i * of_result + k * of_operand].
template <class T> struct Weights {
  const T *at;
  std::int64_t of_result, of_operand;
};

template <int n_rows, class T>
NNPAL_INLINE void tile(int n_operands, std::int64_t width, Weights<T> weights, const T *in, T *out)
{
  Lanes<T> sums[n_rows][kColumns];
#pragma GCC unroll 8
  for (int i = 0; i < n_rows; ++i)
#pragma GCC unroll 4
    for (int c = 0; c < kColumns; ++c) sums[i][c] = Lanes<T>(T(0));
  for (int k = 0; k < n_operands; ++k, in += width, weights.at += weights.of_operand) {
    Lanes<T> operand[kColumns];
#pragma GCC unroll 4
    for (int c = 0; c < kColumns; ++c) operand[c] = load(in + c * kLanes<T>);
#pragma GCC unroll 8
    for (int i = 0; i < n_rows; ++i) {
      const Lanes<T> weight(weights.at[i * weights.of_result]);
#pragma GCC unroll 4
      for (int c = 0; c < kColumns; ++c) sums[i][c] = sums[i][c] + weight * operand[c];
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < n_rows; ++i)
#pragma GCC unroll 4
    for (int c = 0; c < kColumns; ++c) store(out + i * width + c * kLanes<T>, sums[i][c]);
}

// out [n_results, width] = weights · in [n_operands, width].
template <class T>
void product(int n_results, int n_operands, int width, Weights<T> weights, const T *in, T *out)
{
  for (int column = 0; column < width; column += kColumns * kLanes<T>) {
    const auto run = [&]<int n_rows>(int i) {
      tile<n_rows>(n_operands, width,
                   {weights.at + i * weights.of_result, weights.of_result, weights.of_operand}, in + column,
                   out + static_cast<std::int64_t>(i) * width + column);
    };
    int i = 0;
    for (; i + kRows <= n_results; i += kRows) run.template operator()<kRows>(i);
    switch (n_results - i) {
    case 5:
      run.template operator()<5>(i);
      break;
    case 4:
      run.template operator()<4>(i);
      break;
    case 3:
      run.template operator()<3>(i);
      break;
    case 2:
      run.template operator()<2>(i);
      break;
    case 1:
      run.template operator()<1>(i);
      break;
    default:
      break;
    }
  }
}

}    // namespace nnpal::NNPAL_ISA
