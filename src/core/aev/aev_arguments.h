// Parameters of an AEV as users give them, checked once for all devices.
#pragma once

#include "aev/aev_terms.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nnpal {

// Lengths in Å; see aev_center.h for the equations.
struct AEVArguments {
  std::int64_t n_elements;
  std::vector<double> radial;              // cutoff, η
  std::vector<double> radial_shifts;       // s_k
  std::vector<double> angular;             // cutoff, η, ζ
  std::vector<double> angular_shifts;      // s_k
  std::vector<double> angular_sections;    // θ_q, rad
  std::string cutoff_function;             // cosine or smooth

  // Throws std::invalid_argument that names the argument.
  void check() const;
  std::int64_t n_features() const;
};

// The same in the form and precision of the computation. `terms` points into this object.
template <class T> class TypedTerms {
public:
  explicit TypedTerms(const AEVArguments &arguments);
  TypedTerms(const TypedTerms &) = delete;
  TypedTerms &operator=(const TypedTerms &) = delete;

  AEVTerms<T> terms;

private:
  std::vector<T> radial_shifts_, shifts_, cosines_, sines_;
};

}    // namespace nnpal
