// AEVs on the CPU. Compiled once for each instruction set; see instruction_sets.cpp for the choice.
#include "aev/aev_cpu.h"
#include "aev/aev_center.h"

namespace nnpal::NNPAL_ISA {
namespace {

template <class T>
int most_edges(const AEVTerms<T> &terms, const SortedEdges<T> &edges, const std::int64_t *centers, int n)
{
  std::int64_t most = 0;
  for (int c = 0; c < n; ++c) {
    const std::int64_t *start = edges.start + centers[c] * terms.n_elements;
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
void forward(const AEVTerms<T> &terms, const SortedEdges<T> &edges, const std::int64_t *centers, int n,
             T *aev)
{
  Center<N> center(terms, edges, most_edges(terms, edges, centers, n), 0, scratch<N>());
  for (int c = 0; c < n; ++c)
    center.forward(centers[c], aev + static_cast<std::int64_t>(c) * terms.n_features);
}

template <class N, class T = typename N::Scalar>
void backward(const AEVTerms<T> &terms, const SortedEdges<T> &edges, const std::int64_t *centers, int n,
              int n_gradients, const T *gradients, std::int64_t stride, T *edge_gradients)
{
  if (n_gradients == 0) return;
  Center<N> center(terms, edges, most_edges(terms, edges, centers, n), n_gradients, scratch<N>());
  for (int c = 0; c < n; ++c)
    center.backward(centers[c], gradients + static_cast<std::int64_t>(c) * terms.n_features, stride,
                    edge_gradients);
}

template <class T>
void second(const AEVTerms<T> &terms, const SortedEdges<T> &edges, const std::int64_t *centers, int n,
            const T *gradient, T *edge_gradient)
{
  backward<DualLanes<T>>(terms, edges, centers, n, 1, gradient, 0, edge_gradient);
}

template <class T>
constexpr AEVFunctions<T> kFunctions{forward<Lanes<T>>, forward<DualLanes<T>>, backward<Lanes<T>>, second<T>};

}    // namespace

const AEVFunctions<float> &aev_functions(float)
{
  return kFunctions<float>;
}
const AEVFunctions<double> &aev_functions(double)
{
  return kFunctions<double>;
}

}    // namespace nnpal::NNPAL_ISA
