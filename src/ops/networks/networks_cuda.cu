// Activations, their derivatives and sums over members on a GPU.
#include "networks/networks_cuda.h"
#include "support/dual_scalar.h"
#include "support/erfcx_series.h"

namespace nnpal::NNPAL_TWIN {
namespace {

template <class T, int k = 0> NNPAL_KERNEL T erfcx_polynomial(T x)
{
  constexpr T coefficient = ErfcxSeries<T>::kCoefficients[k];
  if constexpr ((k + 1) * sizeof(T) < sizeof(ErfcxSeries<T>::kCoefficients))
    return coefficient + x * erfcx_polynomial<T, k + 1>(x);
  else
    return coefficient;
}

// From the normal distribution's integral and density, which share their exponential.
template <class T> struct GELU {
  T alpha;

  NNPAL_KERNEL void operator()(T x, T &value, T &slope) const
  {
    using Series = ErfcxSeries<T>;
    constexpr T largest = Series::kLargest, scale = Series::kSlope, offset = Series::kOffset;
    const T magnitude = x < T(0) ? -x : x, z = magnitude * T(0.70710678118654752440);
    const T t = quotient(T(1), (z < largest ? z : largest) * T(kErfcxScale) + T(1));
    const T exponential = gaussian(x, T(0.5));    // propagates NaN
    const T tail = t * erfcx_polynomial<T>(t * scale - offset) * exponential * T(0.5);
    const T integral = x < T(0) ? tail : T(1) - tail;
    value = x * integral;
    slope = integral + x * exponential * T(0.39894228040143267794);
  }
};

// Numbers that a thread reads and writes together.
constexpr int kPacked = 4;
template <class T, int n> struct alignas(n * sizeof(T) < 16 ? n * sizeof(T) : 16) Pack {
  T value[n];
};

template <class T> struct CELU {
  T alpha;

  NNPAL_KERNEL void operator()(T x, T &value, T &slope) const
  {
    const T above = std::expm1((x > T(0) ? T(0) : x) / alpha);
    value = (x < T(0) ? T(0) : x) + alpha * above;    // propagates NaN
    slope = above + T(1);
  }
};

template <class T, class A, int kAtOnce> struct Activate : Always {
  LayerRows<T> rows;
  A activation;
  Pack<T, kAtOnce> *z, *slope;

  NNPAL_KERNEL void operator()(std::int64_t item) const
  {
    const auto i = static_cast<std::uint32_t>(item);
    const std::uint32_t packs = rows.n / kAtOnce, row = i / packs, column = (i - row * packs) * kAtOnce;
    const T *bias = rows.bias + row / rows.n_rows * rows.stride + column;
    Pack<T, kAtOnce> value = z[item], derivative;
    for (int k = 0; k < kAtOnce; ++k)
      activation(value.value[k] + bias[k], value.value[k], derivative.value[k]);
    z[item] = value;
    slope[item] = derivative;
  }
};

// Several threads for each row of each member.
template <class T, class A> struct Finish {
  static constexpr int kShare = 8, kRows = kThreads / kShare;

  struct Shared {
    T sum[kThreads];
  };

  LayerRows<T> rows;
  EnergyPlace<T> place;
  A activation;
  T *z;

  NNPAL_KERNEL void operator()(const Block &block, Shared &shared) const
  {
    const std::int64_t first = block.index * kRows,
                       n_all = static_cast<std::int64_t>(rows.n_members) * rows.n_rows;
    block.each([&](int thread) {
      const std::int64_t row = first + thread / kShare;
      if (row >= n_all) return;
      const T *bias = rows.bias + row / rows.n_rows * rows.stride, *weight = bias + rows.n;
      T *own = z + row * rows.n, sum = T(0);
      for (int column = thread % kShare; column < rows.n; column += kShare) {
        T value, slope;
        activation(own[column] + bias[column], value, slope);
        sum += value * weight[column];
        own[column] = slope * weight[column];
      }
      shared.sum[thread] = sum;
    });
    block.each([&](int thread) {
      const std::int64_t row = first + thread;
      if (thread >= kRows || row >= n_all) return;
      const std::int64_t member = row / rows.n_rows, in_chunk = row - member * rows.n_rows;
      T sum = rows.bias[member * rows.stride + 2 * rows.n];
      for (int k = 0; k < kShare; ++k) sum += shared.sum[thread * kShare + k];
      const std::int64_t center = place.centers ? place.centers[in_chunk] : place.first + in_chunk;
      place.energies[member * place.n_local + center] = sum * place.scale;
    });
  }
};

template <class T, int kAtOnce> struct Multiply : Always {
  const Pack<T, kAtOnce> *slope;
  Pack<T, kAtOnce> *gradient;

  NNPAL_KERNEL void operator()(std::int64_t item) const
  {
    Pack<T, kAtOnce> product = gradient[item];
    const Pack<T, kAtOnce> factor = slope[item];
    for (int k = 0; k < kAtOnce; ++k) product.value[k] *= factor.value[k];
    gradient[item] = product;
  }
};

template <class T> struct Combine : Always {
  int n_members, n_rows, n;
  EnergyPlace<T> place;
  const T *coefficients, *gradients;
  T *sum;

  NNPAL_KERNEL void operator()(std::int64_t item) const
  {
    const auto i = static_cast<std::uint32_t>(item);
    const std::uint32_t row = i / n, column = i - row * n, g = row / n_rows, in_chunk = row - g * n_rows;
    const std::int64_t center = place.centers ? place.centers[in_chunk] : place.first + in_chunk;
    T total = T(0);
    for (int m = 0; m < n_members; ++m)
      total += coefficients[(static_cast<std::int64_t>(g) * n_members + m) * place.n_local + center] *
               gradients[(static_cast<std::int64_t>(m) * n_rows + in_chunk) * n + column];
    sum[item] = total * place.scale;
  }
};

template <int kAtOnce, class A, class T>
void activate_packs(const A &activation, const LayerRows<T> &rows, T *z, T *slope, Stream stream)
{
  using Packs = Pack<T, kAtOnce> *;
  const std::int64_t n = static_cast<std::int64_t>(rows.n_members) * rows.n_rows * (rows.n / kAtOnce);
  launch_items(
      Activate<T, A, kAtOnce>{
          {}, rows, activation, reinterpret_cast<Packs>(z), reinterpret_cast<Packs>(slope)},
      n, stream);
}

template <class A, class T>
void activate_by(const A &activation, const LayerRows<T> &rows, T *z, T *slope, Stream stream)
{
  if (rows.n % kPacked == 0)
    activate_packs<kPacked>(activation, rows, z, slope, stream);
  else
    activate_packs<1>(activation, rows, z, slope, stream);
}

template <int kAtOnce, class T>
void multiply_packs(std::int64_t n, const T *slope, T *gradient, Stream stream)
{
  launch_items(Multiply<T, kAtOnce>{{},
                                    reinterpret_cast<const Pack<T, kAtOnce> *>(slope),
                                    reinterpret_cast<Pack<T, kAtOnce> *>(gradient)},
               n / kAtOnce, stream);
}

}    // namespace

template <class T>
void activate(Activation kind, T alpha, const LayerRows<T> &rows, T *z, T *slope, Stream stream)
{
  if (kind == Activation::kGELU)
    activate_by(GELU<T>{alpha}, rows, z, slope, stream);
  else
    activate_by(CELU<T>{alpha}, rows, z, slope, stream);
}

template <class T>
void finish(Activation kind, T alpha, const LayerRows<T> &rows, const EnergyPlace<T> &place, T *z,
            Stream stream)
{
  constexpr int kRows = Finish<T, GELU<T>>::kRows;
  const std::int64_t n_blocks = (static_cast<std::int64_t>(rows.n_members) * rows.n_rows + kRows - 1) / kRows;
  if (kind == Activation::kGELU)
    launch_blocks(Finish<T, GELU<T>>{rows, place, {alpha}, z}, n_blocks, stream);
  else
    launch_blocks(Finish<T, CELU<T>>{rows, place, {alpha}, z}, n_blocks, stream);
}

template <class T> void multiply(std::int64_t n, const T *slope, T *gradient, Stream stream)
{
  if (n % kPacked == 0)
    multiply_packs<kPacked>(n, slope, gradient, stream);
  else
    multiply_packs<1>(n, slope, gradient, stream);
}

template <class T>
void combine(int n_gradients, int n_members, int n_rows, int n, const EnergyPlace<T> &place,
             const T *coefficients, const T *gradients, T *sum, Stream stream)
{
  launch_items(Combine<T>{{}, n_members, n_rows, n, place, coefficients, gradients, sum},
               static_cast<std::int64_t>(n_gradients) * n_rows * n, stream);
}

#define NNPAL_INSTANTIATE(T)                                                                                 \
  template void activate(Activation, T, const LayerRows<T> &, T *, T *, Stream);                             \
  template void finish(Activation, T, const LayerRows<T> &, const EnergyPlace<T> &, T *, Stream);            \
  template void multiply(std::int64_t, const T *, T *, Stream);                                              \
  template void combine(int, int, int, int, const EnergyPlace<T> &, const T *, const T *, T *, Stream);
NNPAL_INSTANTIATE(float)
NNPAL_INSTANTIATE(double)

}    // namespace nnpal::NNPAL_TWIN
