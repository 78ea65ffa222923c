// Networks on the CPU. Compiled once for each instruction set.
#include "networks/networks_cpu.h"

#include "networks/activation_lanes.h"
#include "networks/few_atoms.h"
#include "networks/matrix_product.h"
#ifdef NNPAL_TILES
#include "networks/tile_product.h"
#endif

#include <type_traits>

namespace nnpal::NNPAL_ISA {
namespace {

// Rows of a product that stay in the first-level cache until they are read again; a multiple of tiles of 6
// and of 8 rows.
constexpr int kRowsAtOnce = 24;

// out [n_results, width] = weights · in, whose rows are the operands of the parts; act(row, n) after rows
// [row, row + n) are computed, some at a time.
template <class T, class Act>
NNPAL_INLINE void product_by_rows(int n_results, int n_operands, const Parts &operands, int width,
                                  Weights<T> weights, const std::uint16_t *packed, const T *in, T *out,
                                  const Act &act)
{
#ifdef NNPAL_TILES
  if constexpr (std::is_same_v<T, float>)
    if (packed) {
      tile_product(n_results, n_operands, width, packed, in, out, act);
      return;
    }
#endif
  for (int row = 0; row < n_results; row += kRowsAtOnce) {
    const int n = n_results - row < kRowsAtOnce ? n_results - row : kRowsAtOnce;
    product<T>(n, operands, width, weights.from_result(row), in,
               out + static_cast<std::int64_t>(row) * width);
    act(row, n);
  }
}

template <class T, class A>
NNPAL_INLINE void activate(const A &activation, int n, int width, const T *bias, T *z, T *slope)
{
  for (int f = 0; f < n; ++f) {
    const Lanes<T> shift(bias[f]);
    for (int i = 0; i < width; i += kLanes<T>, z += kLanes<T>, slope += kLanes<T>) {
      Lanes<T> value, derivative;
      activation(load(z) + shift, value, derivative);
      store(z, value);
      store(slope, derivative);
    }
  }
}

template <class T>
void forward(int n_out, int n_in, const Parts &parts, int width, const T *weight, const PackedLayer &packed,
             const T *bias, const T *in, Activation kind, T alpha, T *value, T *slope)
{
  const Weights<T> weights{weight, n_in, 1};
  product_by_rows<T>(n_out, n_in, parts, width, weights, packed.forward, in, value, [&](int row, int n) {
    const std::int64_t at = static_cast<std::int64_t>(row) * width;
    if (kind == Activation::kGELU)
      activate(GELU<T>{}, n, width, bias + row, value + at, slope + at);
    else
      activate(CELU<T>{alpha}, n, width, bias + row, value + at, slope + at);
  });
}

template <class T> void multiply(int n, const T *slope, T *gradient)
{
  for (int i = 0; i < n; i += kLanes<T>) store(gradient + i, load(gradient + i) * load(slope + i));
}

template <class T>
void backward(int n_out, int n_in, const Parts &parts, int width, const T *weight, const PackedLayer &packed,
              const T *out, const T *slope, T *in)
{
  const Part all{0, n_out};
  for (int p = 0; p < parts.n; ++p) {
    const int n_own = parts.parts[p].n;
    const Weights<T> weights{weight + parts.parts[p].begin, 1, n_in};
    product_by_rows<T>(n_own, n_out, {1, &all}, width, weights, packed.backward, out, in,
                       [&](int row, int n) {
                         const std::int64_t at = static_cast<std::int64_t>(row) * width;
                         if (slope) multiply(n * width, slope + at, in + at);
                       });
    in += static_cast<std::int64_t>(n_own) * width;
    if (slope) slope += static_cast<std::int64_t>(n_own) * width;
  }
}

template <class T> void finish(int n, int width, const T *weight, T bias, const T *h, T *slope, T *energies)
{
  for (int i = 0; i < width; i += kLanes<T>) {
    Lanes<T> total(bias);
    for (int f = 0; f < n; ++f) {
      const std::int64_t at = static_cast<std::int64_t>(f) * width + i;
      const Lanes<T> w(weight[f]);
      total = total + load(h + at) * w;
      store(slope + at, load(slope + at) * w);
    }
    store(energies + i, total);
  }
}

template <class T> void add(int n, int width, const T *factor, const T *values, T *sum)
{
  for (int f = 0; f < n; ++f)
    for (int i = 0; i < width; i += kLanes<T>, values += kLanes<T>, sum += kLanes<T>)
      store(sum, load(sum) + load(values) * load(factor + i));
}

template <class T, class A>
NNPAL_INLINE void activate_few(const A &activation, int n_out, int n_atoms, const T *bias, T *z, T *slope)
{
  for (int atom = 0; atom < n_atoms; ++atom, z += n_out, slope += n_out)
    for (int f = 0; f < n_out; f += kLanes<T>) {
      const int n = n_out - f < kLanes<T> ? n_out - f : kLanes<T>;
      Lanes<T> value, derivative;
      activation(load_first(z + f, n) + load_first(bias + f, n), value, derivative);
      store_first(z + f, value, n);
      store_first(slope + f, derivative, n);
    }
}

template <class T>
void forward_few(int n_out, int n_in, const Parts &parts, int n_atoms, const T *weight, const PackedLayer &,
                 const T *bias, const T *in, Activation kind, T alpha, T *value, T *slope)
{
  few_outputs(n_out, n_in, parts, n_atoms, weight, in, value);
  if (kind == Activation::kGELU)
    activate_few(GELU<T>{}, n_out, n_atoms, bias, value, slope);
  else
    activate_few(CELU<T>{alpha}, n_out, n_atoms, bias, value, slope);
}

template <class T>
void backward_few(int n_out, int n_in, const Parts &parts, int n_atoms, const T *weight, const PackedLayer &,
                  const T *out, const T *slope, T *in)
{
  few_inputs(n_out, n_in, parts, n_atoms, weight, out, slope, in);
}

template <class T>
void finish_few(int n_in, int n_atoms, const T *weight, T bias, const T *h, T *slope, T *energies)
{
  for (int atom = 0; atom < n_atoms; ++atom, h += n_in, slope += n_in) {
    Lanes<T> total(T(0));
    for (int f = 0; f < n_in; f += kLanes<T>) {
      const int n = n_in - f < kLanes<T> ? n_in - f : kLanes<T>;
      const Lanes<T> w = load_first(weight + f, n);
      total = total + load_first(h + f, n) * w;
      store_first(slope + f, load_first(slope + f, n) * w, n);
    }
    energies[atom] = sum(total) + bias;
  }
}

template <class T> void add_few(int n_features, int n_atoms, const T *factor, const T *values, T *sum)
{
  for (int atom = 0; atom < n_atoms; ++atom, values += n_features, sum += n_features)
    for (int f = 0; f < n_features; f += kLanes<T>) {
      const int n = n_features - f < kLanes<T> ? n_features - f : kLanes<T>;
      store_first(sum + f, load_first(sum + f, n) + load_first(values + f, n) * factor[atom], n);
    }
}

template <class T> void turn(int n_rows, int n_columns, int n_to, const T *from, T *to)
{
  for (int c = 0; c < n_columns; ++c, to += n_to) {
    for (int r = 0; r < n_rows; ++r) to[r] = from[static_cast<std::int64_t>(r) * n_columns + c];
    for (int r = n_rows; r < n_to; ++r) to[r] = T(0);
  }
}

// Null except for instruction sets that use packed weights.
template <class T> struct Packing {
  static constexpr decltype(NetworkFunctions<T>::packed_size) size = nullptr;
  static constexpr decltype(NetworkFunctions<T>::pack) pack = nullptr;
};
#ifdef NNPAL_TILES
template <> struct Packing<float> {
  static constexpr auto size = NNPAL_ISA::packed_size;
  static constexpr auto pack = NNPAL_ISA::pack;
};
#endif

template <class T>
constexpr NetworkFunctions<T> kFunctions{kLanes<T>,
                                         are_few<T>,
                                         {forward<T>, backward<T>, finish<T>, add<T>},
                                         {forward_few<T>, backward_few<T>, finish_few<T>, add_few<T>},
                                         turn<T>,
                                         Packing<T>::size,
                                         Packing<T>::pack};

}    // namespace

const NetworkFunctions<float> &network_functions(float)
{
  return kFunctions<float>;
}
const NetworkFunctions<double> &network_functions(double)
{
  return kFunctions<double>;
}

}    // namespace nnpal::NNPAL_ISA
