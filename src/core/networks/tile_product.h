// Products of float32 matrices on AMX tiles, which multiply bfloat16 numbers and sum in float32. Each number
// is the sum of three bfloat16 parts: high, middle and low. Of the nine products of the parts of two numbers,
// the three smallest are omitted: at most 2^-23 of the product, of either sign. A float32 product is rounded
// by up to 2^-24, and so is every sum.
#pragma once

#include "networks/matrix_product.h"
#include "support/thread_scratch.h"

#include <immintrin.h>

namespace nnpal::NNPAL_ISA {

// A tile of weights has 16 results by 32 operands. A tile of operands has 32 operands by 16 atoms, as 16 rows
// of pairs: operands 2k and 2k + 1 of an atom are adjacent.
constexpr int kTileSide = 16, kTileDepth = 32, kNumberParts = 3;
constexpr int kTileNumbers = kTileSide * kTileDepth;
constexpr int kTileRow = 64;    // bytes

constexpr int tiles_for(int n, int size)
{
  return (n + size - 1) / size;
}
// Numbers in one row of tiles of weights, or one column of tiles of operands
constexpr std::int64_t tile_line(int n_operands)
{
  return static_cast<std::int64_t>(tiles_for(n_operands, kTileDepth)) * kNumberParts * kTileNumbers;
}

inline std::int64_t packed_size(int n_results, int n_operands)
{
  return tiles_for(n_results, kTileSide) * tile_line(n_operands);
}

// Parts of 16 numbers, each in the upper half of its lane; the lower half is 0. For infinities and NaN the
// low part is NaN.
struct NumberParts {
  __m512i part[kNumberParts];
};
NNPAL_INLINE __m512i upper_half(__m512i bits)
{
  return _mm512_and_epi32(bits, _mm512_set1_epi32(static_cast<int>(0xffff0000U)));
}
// The upper half of each lane moved down; gcc 12 falsely warns about the intrinsic for it.
NNPAL_INLINE __m512i lower_half(__m512i bits)
{
  typedef std::uint32_t Integers __attribute__((vector_size(64)));
  return reinterpret_cast<__m512i>(reinterpret_cast<Integers>(bits) >> 16);
}
NNPAL_INLINE NumberParts parts_of(__m512 number)
{
  NumberParts found;
  for (int p = 0; p < kNumberParts; ++p) {
    const __m512i bits = _mm512_castps_si512(number);
    found.part[p] =
        p + 1 < kNumberParts ? upper_half(_mm512_add_epi32(bits, _mm512_set1_epi32(0x8000))) : bits;
    number = _mm512_sub_ps(number, _mm512_castsi512_ps(found.part[p]));
  }
  return found;
}

// Packs the parts of weights as tiles, [tiles of results, tiles of operands, parts], padded with 0. The
// weight of a result and an operand is at weight[result * of_result + operand * of_operand].
inline void pack(int n_results, int n_operands, std::int64_t of_result, std::int64_t of_operand,
                 const float *weight, std::uint16_t *packed)
{
  for (int result = 0; result < n_results; result += kTileSide)
    for (int operand = 0; operand < n_operands; operand += kTileDepth, packed += kNumberParts * kTileNumbers)
      for (int i = 0; i < kTileSide; ++i)
        for (int half = 0; half < kTileDepth; half += kTileSide) {
          alignas(64) float numbers[kTileSide] = {};
          for (int k = 0; k < kTileSide; ++k)
            if (result + i < n_results && operand + half + k < n_operands)
              numbers[k] = weight[(result + i) * of_result + (operand + half + k) * of_operand];
          const NumberParts own = parts_of(_mm512_load_ps(numbers));
          for (int p = 0; p < kNumberParts; ++p)
            _mm256_storeu_si256(
                reinterpret_cast<__m256i *>(packed + p * kTileNumbers + i * kTileDepth + half),
                _mm512_maskz_cvtepi32_epi16(-1, lower_half(own.part[p])));
        }
}

// Writes the parts of in [n_operands, width] as tiles, [tiles of atoms, tiles of operands, parts].
inline void cut_operands(int n_operands, int width, const float *in, std::uint16_t *to)
{
  for (int column = 0; column < width; column += kTileSide)
    for (int operand = 0; operand < n_operands; operand += kTileDepth, to += kNumberParts * kTileNumbers)
      for (int pair = 0; pair < kTileSide; ++pair) {
        const int k = operand + 2 * pair;
        const float *at = in + static_cast<std::int64_t>(k) * width + column;
        const NumberParts even = parts_of(k < n_operands ? _mm512_loadu_ps(at) : _mm512_setzero_ps());
        const NumberParts odd =
            parts_of(k + 1 < n_operands ? _mm512_loadu_ps(at + width) : _mm512_setzero_ps());
        for (int p = 0; p < kNumberParts; ++p)
          _mm512_store_si512(to + p * kTileNumbers + pair * kTileDepth,
                             _mm512_or_epi32(lower_half(even.part[p]), upper_half(odd.part[p])));
      }
}

// Configures this thread's tiles as 16 rows of 64 bytes; the destructor releases them.
class Tiles {
public:
  Tiles()
  {
    struct alignas(64) {
      std::uint8_t palette = 1, start = 0, reserved[14] = {};
      std::uint16_t bytes[16] = {};
      std::uint8_t rows[16] = {};
    } shape;
    for (int tile = 0; tile < 8; ++tile) {
      shape.bytes[tile] = kTileRow;
      shape.rows[tile] = kTileSide;
    }
    _tile_loadconfig(&shape);
  }
  Tiles(const Tiles &) = delete;
  Tiles &operator=(const Tiles &) = delete;
  ~Tiles() { _tile_release(); }
};

// Computes n_rows by n_columns tiles of results and writes up to n_results rows to out [.., width]. Tiles 0
// to 3 are results, 4 and 5 weights, 6 and 7 operands.
template <int n_rows, int n_columns>
NNPAL_INLINE void result_tiles(int n_operands, const std::uint16_t *weights, const std::uint16_t *operands,
                               int n_results, std::int64_t width, float *out)
{
  const std::int64_t line = tile_line(n_operands);
  const auto load_weights = [&](int part) {
    _tile_loadd(4, weights + part * kTileNumbers, kTileRow);
    if constexpr (n_rows > 1) _tile_loadd(5, weights + line + part * kTileNumbers, kTileRow);
  };
  const auto load_operands = [&](int part) {
    _tile_loadd(6, operands + part * kTileNumbers, kTileRow);
    if constexpr (n_columns > 1) _tile_loadd(7, operands + line + part * kTileNumbers, kTileRow);
  };
  const auto add_products = [] {
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (n_columns > 1) _tile_dpbf16ps(1, 4, 7);
    if constexpr (n_rows > 1) _tile_dpbf16ps(2, 5, 6);
    if constexpr (n_rows > 1 && n_columns > 1) _tile_dpbf16ps(3, 5, 7);
  };
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int k = 0; k < n_operands; k += kTileDepth) {
    load_weights(0);
    load_operands(2);
    add_products();
    load_operands(1);
    add_products();
    load_weights(1);
    add_products();
    load_operands(0);
    add_products();
    load_weights(2);
    add_products();
    load_weights(0);
    add_products();
    weights += kNumberParts * kTileNumbers;
    operands += kNumberParts * kTileNumbers;
  }
  const std::int64_t row_bytes = width * static_cast<std::int64_t>(sizeof(float));
  const auto store = [&](int row, int column, const auto &store_at) {
    float *const to = out + row * kTileSide * width + column * kTileSide;
    const int n = n_results - row * kTileSide;
    if (n >= kTileSide) {
      store_at(to, row_bytes);
      return;
    }
    alignas(64) float numbers[kTileSide * kTileSide];
    store_at(numbers, kTileRow);
    for (int i = 0; i < n; ++i) std::memcpy(to + i * width, numbers + i * kTileSide, kTileRow);
  };
  store(0, 0, [](float *to, std::int64_t stride) { _tile_stored(0, to, stride); });
  if constexpr (n_columns > 1)
    store(0, 1, [](float *to, std::int64_t stride) { _tile_stored(1, to, stride); });
  if constexpr (n_rows > 1) store(1, 0, [](float *to, std::int64_t stride) { _tile_stored(2, to, stride); });
  if constexpr (n_rows > 1 && n_columns > 1)
    store(1, 1, [](float *to, std::int64_t stride) { _tile_stored(3, to, stride); });
}

// out [n_results, width] = weights · in [n_operands, width]; act(row, n) after rows [row, row + n) are
// computed.
template <class Act>
NNPAL_INLINE void tile_product(int n_results, int n_operands, int width, const std::uint16_t *packed,
                               const float *in, float *out, const Act &act)
{
  constexpr int kRows = 2 * kTileSide, kColumns = 2 * kTileSide;
  static thread_local Scratch scratch;
  const std::int64_t line = tile_line(n_operands);
  const auto n_cut = static_cast<std::size_t>(width / kTileSide * line);
  scratch.reserve(Scratch::bytes_for<std::uint16_t>(n_cut));
  auto *const operands = scratch.take<std::uint16_t>(n_cut);
  cut_operands(n_operands, width, in, operands);
  const Tiles tiles;
  asm volatile("" ::: "memory");    // gcc does not know that tiles read `operands`
  for (int row = 0; row < n_results; row += kRows, packed += 2 * line) {
    const int n = n_results - row < kRows ? n_results - row : kRows;
    const auto columns = [&]<int n_rows>() {
      const std::uint16_t *own = operands;
      float *to = out + static_cast<std::int64_t>(row) * width;
      int column = 0;
      for (; column + kColumns <= width; column += kColumns, own += 2 * line)
        result_tiles<n_rows, 2>(n_operands, packed, own, n, width, to + column);
      if (column < width) result_tiles<n_rows, 1>(n_operands, packed, own, n, width, to + column);
    };
    if (n > kTileSide)
      columns.template operator()<2>();
    else
      columns.template operator()<1>();
    act(row, n);
  }
}

}    // namespace nnpal::NNPAL_ISA
