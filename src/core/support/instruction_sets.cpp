#include "support/instruction_sets.h"

#include <atomic>
#include <stdexcept>

namespace nnpal {

#define NNPAL_DECLARE(isa)                                                                                   \
  namespace isa {                                                                                            \
  const AEVFunctions<float> &aev_functions(float);                                                           \
  const AEVFunctions<double> &aev_functions(double);                                                         \
  const NetworkFunctions<float> &network_functions(float);                                                   \
  const NetworkFunctions<double> &network_functions(double);                                                 \
  const TrainingFunctions<float> &training_functions(float);                                                 \
  const TrainingFunctions<double> &training_functions(double);                                               \
  }
NNPAL_DECLARE(baseline)
#ifdef NNPAL_X86
NNPAL_DECLARE(avx2)
NNPAL_DECLARE(avx512)
#endif
#undef NNPAL_DECLARE

namespace {

struct Compiled {
  const char *name;
  bool is_here;
  const AEVFunctions<float> &aev_float;
  const AEVFunctions<double> &aev_double;
  const NetworkFunctions<float> &networks_float;
  const NetworkFunctions<double> &networks_double;
  const TrainingFunctions<float> &training_float;
  const TrainingFunctions<double> &training_double;
};

#define NNPAL_COMPILED(isa, is_here)                                                                         \
  Compiled                                                                                                   \
  {                                                                                                          \
    #isa, is_here, isa::aev_functions(0.0F), isa::aev_functions(0.0), isa::network_functions(0.0F),          \
        isa::network_functions(0.0), isa::training_functions(0.0F), isa::training_functions(0.0)             \
  }

const std::vector<Compiled> &all_compiled()
{
  static const std::vector<Compiled> all{
#ifdef NNPAL_X86
      NNPAL_COMPILED(avx512, __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                                 __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                                 __builtin_cpu_supports("fma")),
      NNPAL_COMPILED(avx2, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")),
#endif
      NNPAL_COMPILED(baseline, true)};
  return all;
}
#undef NNPAL_COMPILED

const Compiled *widest()
{
  for (const Compiled &one : all_compiled())
    if (one.is_here) return &one;
  return nullptr;    // not reached: baseline always exists
}

std::atomic<const Compiled *> &chosen()
{
  static std::atomic<const Compiled *> one{widest()};
  return one;
}

}    // namespace

template <> const AEVFunctions<float> &aev_functions()
{
  return chosen().load()->aev_float;
}
template <> const AEVFunctions<double> &aev_functions()
{
  return chosen().load()->aev_double;
}
template <> const NetworkFunctions<float> &network_functions()
{
  return chosen().load()->networks_float;
}
template <> const NetworkFunctions<double> &network_functions()
{
  return chosen().load()->networks_double;
}
template <> const TrainingFunctions<float> &training_functions()
{
  return chosen().load()->training_float;
}
template <> const TrainingFunctions<double> &training_functions()
{
  return chosen().load()->training_double;
}

std::vector<std::string> instruction_sets()
{
  std::vector<std::string> names;
  for (const Compiled &one : all_compiled())
    if (one.is_here) names.emplace_back(one.name);
  return names;
}

void use_instruction_set(const std::string &name)
{
  for (const Compiled &one : all_compiled())
    if (one.is_here && one.name == name) {
      chosen() = &one;
      return;
    }
  std::string known;
  for (const std::string &one : instruction_sets()) known += (known.empty() ? "" : ", ") + one;
  throw std::invalid_argument("use_instruction_set: name is '" + name + "', expected one of " + known);
}

}    // namespace nnpal
