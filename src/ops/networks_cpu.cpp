// Activations and their derivatives on the CPU. Compiled once for each instruction set.
#include "networks_cpu.h"

#include "lanes.h"

#include <initializer_list>

namespace nnpal::NNPAL_ISA {
namespace {

// Act on n numbers, a vector at a time; the last vector may be shorter.
template <class T, class Do> NNPAL_INLINE void for_vectors(int n, const Do &act)
{
  for (int i = 0; i < n; i += kLanes<T>) act(i, n - i < kLanes<T> ? n - i : kLanes<T>);
}
template <class T> NNPAL_INLINE Lanes<T> load_some(const T *from, int n)
{
  if (n == kLanes<T>) return load(from);
  T part[kLanes<T>] = {};
  for (int i = 0; i < n; ++i) part[i] = from[i];
  return load(part);
}
template <class T> NNPAL_INLINE void store_some(T *to, Lanes<T> values, int n)
{
  if (n == kLanes<T>) return store(to, values);
  T part[kLanes<T>];
  store(part, values);
  for (int i = 0; i < n; ++i) to[i] = part[i];
}

template <class T> struct GELU {
  NNPAL_INLINE void operator()(Lanes<T> x, Lanes<T> &value, Lanes<T> &slope) const
  {
    Lanes<T> integral, density;
    normal(x, integral, density);
    value = x * integral;
    slope = integral + x * density;
  }
};

template <class T> struct CELU {
  T alpha;
  NNPAL_INLINE void operator()(Lanes<T> x, Lanes<T> &value, Lanes<T> &slope) const
  {
    const Lanes<T> power = exponential(smaller(x, T(0)) * (T(1) / alpha));
    value = larger(x, T(0)) + (power - T(1)) * alpha;
    slope = power;    // 1 above 0
  }
};

template <class T, class A>
void activate_by(const A &activation, int n_rows, int n, const T *bias, T *z, T *slope)
{
  for (int row = 0; row < n_rows; ++row, z += n, slope += n)
    for_vectors<T>(n, [&](int i, int width) {
      Lanes<T> value, derivative;
      activation(load_some(z + i, width) + load_some(bias + i, width), value, derivative);
      store_some(z + i, value, width);
      store_some(slope + i, derivative, width);
    });
}

template <class T> void activate(Activation kind, T alpha, int n_rows, int n, const T *bias, T *z, T *slope)
{
  if (kind == Activation::kGELU)
    activate_by(GELU<T>{}, n_rows, n, bias, z, slope);
  else
    activate_by(CELU<T>{alpha}, n_rows, n, bias, z, slope);
}

template <class T> void finish(int n_rows, int n, const T *weight, T bias, const T *h, T *slope, T *energies)
{
  for (int row = 0; row < n_rows; ++row, h += n, slope += n) {
    Lanes<T> total(T(0));
    for_vectors<T>(n, [&](int i, int width) {
      const Lanes<T> w = load_some(weight + i, width);
      total = total + load_some(h + i, width) * w;
      store_some(slope + i, load_some(slope + i, width) * w, width);
    });
    energies[row] = sum(total) + bias;
  }
}

template <class T> void multiply(int n, const T *slope, T *gradient)
{
  for_vectors<T>(n, [&](int i, int width) {
    store_some(gradient + i, load_some(gradient + i, width) * load_some(slope + i, width), width);
  });
}

template <class T> void add_rows(int n_rows, int n, const T *factor, const T *values, T *sum)
{
  for (int row = 0; row < n_rows; ++row, values += n, sum += n) {
    const T by = factor[row];
    if (by == T(0)) continue;
    for_vectors<T>(n, [&](int i, int width) {
      store_some(sum + i, load_some(sum + i, width) + load_some(values + i, width) * by, width);
    });
  }
}

template <class T> constexpr NetworkKernels<T> kKernels{activate<T>, finish<T>, multiply<T>, add_rows<T>};

}    // namespace

const NetworkKernels<float> &network_kernels(float)
{
  return kKernels<float>;
}
const NetworkKernels<double> &network_kernels(double)
{
  return kKernels<double>;
}

}    // namespace nnpal::NNPAL_ISA
