// Products of weights with features, with one atom per lane.
#pragma once

#include "networks/networks_cpu.h"
#include "support/simd_lanes.h"

namespace nnpal::NNPAL_ISA {

// Registers of a tile: rows of the result by vectors of atoms, and as many vectors of the operand. With few
// columns there are more rows, so that enough sums run in parallel.
constexpr int kColumns = NNPAL_VECTOR_BYTES == 64 ? 4 : 2;
constexpr int rows_of_tile(int n_columns)
{
  return n_columns == kColumns ? 6 : 8;
}

// The weight of result i and operand k is at[i * of_result + k * of_operand].
template <class T> struct Weights {
  const T *at;
  std::int64_t of_result, of_operand;

  Weights from_result(std::int64_t i) const { return {at + i * of_result, of_result, of_operand}; }
};

template <int n_rows, int n_columns, class T>
NNPAL_INLINE void tile(const Parts &operands, std::int64_t width, Weights<T> weights, const T *in, T *out)
{
  Lanes<T> sums[n_rows][n_columns];
#pragma GCC unroll 8
  for (int i = 0; i < n_rows; ++i)
#pragma GCC unroll 4
    for (int c = 0; c < n_columns; ++c) sums[i][c] = Lanes<T>(T(0));
  for (int part = 0; part < operands.n; ++part) {
    const T *at = weights.at + operands.parts[part].begin * weights.of_operand;
    for (int k = 0; k < operands.parts[part].n; ++k, in += width, at += weights.of_operand) {
      Lanes<T> operand[n_columns];
#pragma GCC unroll 4
      for (int c = 0; c < n_columns; ++c) operand[c] = load(in + c * kLanes<T>);
#pragma GCC unroll 8
      for (int i = 0; i < n_rows; ++i) {
        const Lanes<T> weight(at[i * weights.of_result]);
#pragma GCC unroll 4
        for (int c = 0; c < n_columns; ++c) sums[i][c] = sums[i][c] + weight * operand[c];
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < n_rows; ++i)
#pragma GCC unroll 4
    for (int c = 0; c < n_columns; ++c) store(out + i * width + c * kLanes<T>, sums[i][c]);
}

// Rows from `row` on of a tile's columns: as many whole tiles as fit, then smaller ones.
template <int n_rows, int n_columns, class T>
NNPAL_INLINE int tiles(int row, int n_results, const Parts &operands, std::int64_t width, Weights<T> weights,
                       const T *in, T *out)
{
  for (; row + n_rows <= n_results; row += n_rows)
    tile<n_rows, n_columns>(operands, width, weights.from_result(row), in, out + row * width);
  if constexpr (n_rows > 1)
    return tiles<n_rows - 1, n_columns>(row, n_results, operands, width, weights, in, out);
  return row;
}

// out [n_results, width] = weights · in, whose rows are the present operands, [.., width].
template <class T>
void product(int n_results, const Parts &operands, int width, Weights<T> weights, const T *in, T *out)
{
  int column = 0;
  const auto run = [&]<int n_columns>() {
    for (; column + n_columns * kLanes<T> <= width; column += n_columns * kLanes<T>)
      tiles<rows_of_tile(n_columns), n_columns>(0, n_results, operands, width, weights, in + column,
                                                out + column);
  };
  run.template operator()<kColumns>();
  if constexpr (kColumns > 2) run.template operator()<2>();
  run.template operator()<1>();
}

}    // namespace nnpal::NNPAL_ISA
