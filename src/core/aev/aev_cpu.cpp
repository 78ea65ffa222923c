// AEVs on the CPU. Compiled once for each instruction set; see instruction_sets.cpp for the choice.
#include "aev/aev_cpu.h"
#include "aev/aev_center.h"
#include "aev/edge_gatherer.h"

namespace nnpal::NNPAL_ISA {
namespace {

template <class T> int n_parts(const AEVTerms<T> &terms)
{
  return terms.n_elements + terms.n_elements * (terms.n_elements + 1) / 2;
}
template <class T> int part_size(const AEVTerms<T> &terms, int part)
{
  return part < terms.n_elements ? terms.n_radial : terms.n_shifts * terms.n_sections;
}

// Edges of some centers, in memory that the thread reuses.
template <class N> class Gathered {
public:
  using T = typename N::Scalar;
  static constexpr int kAtOnce = 64;    // centers

  static Gathered &of_this_thread(int slot = 0)
  {
    static thread_local Gathered some[kGatheredSlots];
    return some[slot];
  }

  CenterEdges<N> centers[kAtOnce];
  N *kept[kAtOnce] = {};    // see Center::n_kept
  int most_edges = 0;

  // Keeps nothing if it would be too much: with many neighbors, the pairs exceed the cache.
  void keep(const Center<N> &center, const AEVColumns &columns, int n)
  {
    constexpr std::size_t kMostBytes = 4 << 20;
    std::size_t bytes = 0;
    for (int c = 0; c < n; ++c) bytes += Scratch::bytes_for<N>(center.n_kept(centers[c], columns));
    const bool is_too_much = bytes > kMostBytes;
    if (!is_too_much) kept_scratch_.reserve(bytes);
    for (int c = 0; c < n; ++c)
      kept[c] = is_too_much ? nullptr : kept_scratch_.take<N>(center.n_kept(centers[c], columns));
  }

  // At most kAtOnce.
  void gather(const AEVTerms<T> &terms, const SortedEdges<T> &edges, const std::int64_t *which, int n)
  {
    EdgeGatherer<N> gatherer(terms, edges);
    most_edges = 0;
    std::size_t bytes = 0;
    for (int c = 0; c < n; ++c) {
      const int own = gatherer.n_edges(which[c]);
      bytes += CenterEdges<N>::bytes(own, terms.n_elements);
      if (own > most_edges) most_edges = own;
    }
    scratch_.reserve(bytes + gatherer.bytes(most_edges));
    gatherer.take(most_edges, scratch_);
    for (int c = 0; c < n; ++c) {
      centers[c].take(gatherer.n_edges(which[c]), terms.n_elements, scratch_);
      gatherer.gather(which[c], centers[c]);
    }
  }

private:
  Scratch scratch_, kept_scratch_;
};

template <class N> Scratch &scratch()
{
  static thread_local Scratch of_this_thread;
  return of_this_thread;
}

template <class N, class T = typename N::Scalar> Center<N> &prepared(Center<N> &center)
{
  scratch<N>().reserve(center.bytes());
  center.take(scratch<N>());
  return center;
}

// With `keeps`, backward_of_gathered<true> is faster.
template <bool keeps, class N, class T = typename N::Scalar>
void forward_of_gathered(const AEVTerms<T> &terms, Gathered<N> &gathered, int n, const AEVColumns &columns,
                         T *aev)
{
  Center<N> center(terms, gathered.most_edges, 0);
  prepared(center);
  if constexpr (keeps) gathered.keep(center, columns, n);
  for (int c = 0; c < n; ++c)
    center.forward(gathered.centers[c], columns, aev + static_cast<std::int64_t>(c) * columns.n,
                   keeps ? gathered.kept[c] : nullptr);
}

template <bool has_kept, class N, class T = typename N::Scalar>
void backward_of_gathered(const AEVTerms<T> &terms, const SortedEdges<T> &edges, const Gathered<N> &gathered,
                          int n, const AEVColumns &columns, int n_gradients, const T *gradients,
                          std::int64_t stride, T *edge_gradients)
{
  Center<N> center(terms, gathered.most_edges, n_gradients);
  prepared(center);
  for (int c = 0; c < n; ++c) {
    const CenterEdges<N> &own = gathered.centers[c];
    center.backward(own, columns, gradients + static_cast<std::int64_t>(c) * columns.n, stride,
                    has_kept ? gathered.kept[c] : nullptr);
    for (int g = 0; g < n_gradients; ++g) {
      const T *x = center.gradient(g, 0), *y = center.gradient(g, 1), *z = center.gradient(g, 2);
      T *const of_edges = edge_gradients + 3 * edges.n_edges * g;
      for (int e = 0; e < terms.n_elements; ++e)
        for (int k = own.group[e]; k < own.group[e] + own.n_of_group[e]; ++k) {
          const std::int64_t at = own.first + own.place[k];
          T *to = of_edges + (edges.order ? edges.order[at] : at) * edges.step_of_edge;
          to[0] = x[k];
          to[edges.step_of_axis] = y[k];
          to[2 * edges.step_of_axis] = z[k];
        }
    }
  }
}

// All parts, one after another.
template <class T> class AllColumns {
public:
  explicit AllColumns(const AEVTerms<T> &terms)
  {
    columns_.n = 0;
    scratch_.reserve(Scratch::bytes_for<int>(n_parts(terms)));
    int *column = scratch_.take<int>(n_parts(terms));
    for (int part = 0; part < n_parts(terms); ++part) {
      column[part] = columns_.n;
      columns_.n += part_size(terms, part);
    }
    columns_.column = column;
  }
  const AEVColumns &get() const { return columns_; }

private:
  AEVColumns columns_;
  Scratch scratch_;
};

template <class N, class T = typename N::Scalar>
void forward(const AEVTerms<T> &terms, const SortedEdges<T> &edges, const std::int64_t *centers, int n,
             T *aev)
{
  constexpr int kAtOnce = Gathered<N>::kAtOnce;
  const AllColumns<T> columns(terms);
  for (int c = 0; c < n; c += kAtOnce, aev += static_cast<std::int64_t>(kAtOnce) * terms.n_features) {
    const int now = n - c < kAtOnce ? n - c : kAtOnce;
    Gathered<N> &gathered = Gathered<N>::of_this_thread();
    gathered.gather(terms, edges, centers + c, now);
    forward_of_gathered<false, N>(terms, gathered, now, columns.get(), aev);
  }
}

template <class N, class T = typename N::Scalar>
void backward(const AEVTerms<T> &terms, const SortedEdges<T> &edges, const std::int64_t *centers, int n,
              int n_gradients, const T *gradients, std::int64_t stride, T *edge_gradients)
{
  constexpr int kAtOnce = Gathered<N>::kAtOnce;
  if (n_gradients == 0) return;
  const AllColumns<T> columns(terms);
  for (int c = 0; c < n; c += kAtOnce) {
    const int now = n - c < kAtOnce ? n - c : kAtOnce;
    Gathered<N> &gathered = Gathered<N>::of_this_thread();
    gathered.gather(terms, edges, centers + c, now);
    backward_of_gathered<false, N>(terms, edges, gathered, now, columns.get(), n_gradients,
                                   gradients + static_cast<std::int64_t>(c) * terms.n_features, stride,
                                   edge_gradients);
  }
}

template <class T>
void second(const AEVTerms<T> &terms, const SortedEdges<T> &edges, const std::int64_t *centers, int n,
            const T *gradient, T *edge_gradient)
{
  backward<DualLanes<T>>(terms, edges, centers, n, 1, gradient, 0, edge_gradient);
}

template <class T>
int gather(const AEVTerms<T> &terms, const SortedEdges<T> &edges, const std::int64_t *centers, int n,
           int slot, int *column)
{
  Gathered<Lanes<T>> &gathered = Gathered<Lanes<T>>::of_this_thread(slot);
  gathered.gather(terms, edges, centers, n);
  for (int part = 0; part < n_parts(terms); ++part) column[part] = -1;
  for (int c = 0; c < n; ++c) {
    const CenterEdges<Lanes<T>> &own = gathered.centers[c];
    int pair = terms.n_elements;
    for (int a = 0; a < terms.n_elements; ++a) {
      if (own.n_of_group[a] > 0) column[a] = 0;
      for (int b = a; b < terms.n_elements; ++b, ++pair)
        if (own.n_near[a] > (a == b) && own.n_near[b] > 0) column[pair] = 0;
    }
  }
  int n_columns = 0;
  for (int part = 0; part < n_parts(terms); ++part)
    if (column[part] == 0) {
      column[part] = n_columns;
      n_columns += part_size(terms, part);
    }
  return n_columns;
}

template <class T>
void gathered_forward(const AEVTerms<T> &terms, int n, int slot, const AEVColumns &columns, T *aev)
{
  using N = Lanes<T>;
  forward_of_gathered<true, N>(terms, Gathered<N>::of_this_thread(slot), n, columns, aev);
}

template <class T>
void gathered_vjp(const AEVTerms<T> &terms, const SortedEdges<T> &edges, int n, int slot,
                  const AEVColumns &columns, int n_gradients, const T *gradients, std::int64_t stride,
                  T *edge_gradients)
{
  using N = Lanes<T>;
  if (n_gradients > 0)
    backward_of_gathered<true, N>(terms, edges, Gathered<N>::of_this_thread(slot), n, columns, n_gradients,
                                  gradients, stride, edge_gradients);
}

template <class T>
constexpr AEVFunctions<T> kFunctions{forward<Lanes<T>>, forward<DualLanes<T>>, backward<Lanes<T>>, second<T>,
                                     gather<T>,         gathered_forward<T>,   gathered_vjp<T>};

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
