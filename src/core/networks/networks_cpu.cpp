// Networks on the CPU. Compiled once for each instruction set.
#include "networks/networks_cpu.h"

#include "networks/activation_lanes.h"
#include "networks/matrix_product.h"

namespace nnpal::NNPAL_ISA {
namespace {

template <class T>
void forward(int n_out, int n_in, const Parts &parts, int width, const T *weight, const T *in, T *out)
{
  product<T>(n_out, parts, width, {weight, n_in, 1}, in, out);
}

template <class T>
void backward(int n_out, int n_in, const Parts &parts, int width, const T *weight, const T *out, T *in)
{
  const Part all{0, n_out};
  for (int p = 0; p < parts.n; in += static_cast<std::int64_t>(parts.parts[p++].n) * width)
    product<T>(parts.parts[p].n, {1, &all}, width, {weight + parts.parts[p].begin, 1, n_in}, out, in);
}

template <class T, class A>
void activate_by(const A &activation, int n, int width, const T *bias, T *z, T *slope)
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

template <class T> void activate(Activation kind, T alpha, int n, int width, const T *bias, T *z, T *slope)
{
  if (kind == Activation::kGELU)
    activate_by(GELU<T>{}, n, width, bias, z, slope);
  else
    activate_by(CELU<T>{alpha}, n, width, bias, z, slope);
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

template <class T> void multiply(int n, const T *slope, T *gradient)
{
  for (int i = 0; i < n; i += kLanes<T>) store(gradient + i, load(gradient + i) * load(slope + i));
}

template <class T> void add(int n, int width, const T *factor, const T *values, T *sum)
{
  for (int f = 0; f < n; ++f)
    for (int i = 0; i < width; i += kLanes<T>, values += kLanes<T>, sum += kLanes<T>)
      store(sum, load(sum) + load(values) * load(factor + i));
}

template <class T> void turn(int n_rows, int n_columns, int n_to, const T *from, T *to)
{
  for (int c = 0; c < n_columns; ++c, to += n_to) {
    for (int r = 0; r < n_rows; ++r) to[r] = from[static_cast<std::int64_t>(r) * n_columns + c];
    for (int r = n_rows; r < n_to; ++r) to[r] = T(0);
  }
}

template <class T>
constexpr NetworkFunctions<T> kFunctions{kLanes<T>, forward<T>,  backward<T>, activate<T>,
                                         finish<T>, multiply<T>, add<T>,      turn<T>};

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
