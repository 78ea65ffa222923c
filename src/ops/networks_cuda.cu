// Activations, their derivatives and sums over members on a GPU.
#include "dual_number.h"
#include "networks_cuda.h"

namespace nnpal::NNPAL_TWIN {
namespace {

template <class T> struct GELU {
  T alpha;

  NNPAL_KERNEL void operator()(T x, T &value, T &slope) const
  {
    const T integral = T(0.5) * std::erfc(x * T(-0.70710678118654752440));
    value = x * integral;
    slope = integral + x * exponential(x * x * T(-0.5)) * T(0.39894228040143267794);
  }
};

template <class T> struct CELU {
  T alpha;

  NNPAL_KERNEL void operator()(T x, T &value, T &slope) const
  {
    const T above = std::expm1((x > T(0) ? T(0) : x) / alpha);
    value = (x < T(0) ? T(0) : x) + alpha * above;    // NaN comes through
    slope = above + T(1);
  }
};

template <class T, class A> struct Activate : Always {
  LayerRows<T> rows;
  A activation;
  T *z, *slope;

  NNPAL_KERNEL void operator()(std::int64_t item) const
  {
    const auto i = static_cast<std::uint32_t>(item);
    const std::uint32_t row = i / rows.n, column = i - row * rows.n, member = row / rows.n_rows;
    T value, derivative;
    activation(z[item] + rows.bias[member * rows.stride + column], value, derivative);
    z[item] = value;
    slope[item] = derivative;
  }
};

// Some threads for each row of some member.
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
      const std::int64_t centre = place.centres ? place.centres[in_chunk] : place.first + in_chunk;
      place.energies[member * place.n_local + centre] = sum * place.scale;
    });
  }
};

template <class T> struct Multiply : Always {
  const T *slope;
  T *gradient;

  NNPAL_KERNEL void operator()(std::int64_t item) const { gradient[item] *= slope[item]; }
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
    const std::int64_t centre = place.centres ? place.centres[in_chunk] : place.first + in_chunk;
    T total = T(0);
    for (int m = 0; m < n_members; ++m)
      total += coefficients[(static_cast<std::int64_t>(g) * n_members + m) * place.n_local + centre] *
               gradients[(static_cast<std::int64_t>(m) * n_rows + in_chunk) * n + column];
    sum[item] = total * place.scale;
  }
};

}    // namespace

template <class T>
void activate(Activation kind, T alpha, const LayerRows<T> &rows, T *z, T *slope, Stream stream)
{
  const std::int64_t n = static_cast<std::int64_t>(rows.n_members) * rows.n_rows * rows.n;
  if (kind == Activation::kGELU)
    launch_items(Activate<T, GELU<T>>{{}, rows, {alpha}, z, slope}, n, stream);
  else
    launch_items(Activate<T, CELU<T>>{{}, rows, {alpha}, z, slope}, n, stream);
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
  launch_items(Multiply<T>{{}, slope, gradient}, n, stream);
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
