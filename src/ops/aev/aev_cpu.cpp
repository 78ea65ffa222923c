// AEVs on the CPU. Compiled once for each instruction set; see instruction_sets.cpp for the choice.
#include "aev/aev_center.h"
#include "aev/aev_cpu.h"

namespace nnpal::NNPAL_ISA {
namespace {

template <class T>
int most_edges(const AEVTerms<T> &terms, const SortedEdges<T> &edges, const std::int64_t *centres, int n)
{
  std::int64_t most = 0;
  for (int c = 0; c < n; ++c) {
    const std::int64_t *start = edges.start + centres[c] * terms.n_elements;
    const std::int64_t own = start[terms.n_elements] - start[0];
    if (own > most) most = own;
  }
  return static_cast<int>(most);
}

template <class N> Scratch &scratch()
{
  static thread_local Scratch of_this_thread;
  return of_this_thread;
}

template <class N, class T = typename N::Scalar>
void forward(const AEVTerms<T> &terms, const SortedEdges<T> &edges, const std::int64_t *centres, int n,
             T *aev)
{
  Centre<N> centre(terms, edges, most_edges(terms, edges, centres, n), 0, scratch<N>());
  for (int c = 0; c < n; ++c)
    centre.forward(centres[c], aev + static_cast<std::int64_t>(c) * terms.n_features);
}

template <class N, class T = typename N::Scalar>
void backward(const AEVTerms<T> &terms, const SortedEdges<T> &edges, const std::int64_t *centres, int n,
              int n_gradients, const T *gradients, std::int64_t stride, T *edge_gradients)
{
  if (n_gradients == 0) return;
  Centre<N> centre(terms, edges, most_edges(terms, edges, centres, n), n_gradients, scratch<N>());
  for (int c = 0; c < n; ++c)
    centre.backward(centres[c], gradients + static_cast<std::int64_t>(c) * terms.n_features, stride,
                    edge_gradients);
}

template <class T>
void second(const AEVTerms<T> &terms, const SortedEdges<T> &edges, const std::int64_t *centres, int n,
            const T *gradient, T *edge_gradient)
{
  backward<Dual<T>>(terms, edges, centres, n, 1, gradient, 0, edge_gradient);
}

template <class T>
constexpr AEVKernels<T> kKernels{forward<Lanes<T>>, forward<Dual<T>>, backward<Lanes<T>>, second<T>};

}    // namespace

const AEVKernels<float> &aev_kernels(float)
{
  return kKernels<float>;
}
const AEVKernels<double> &aev_kernels(double)
{
  return kKernels<double>;
}

}    // namespace nnpal::NNPAL_ISA
