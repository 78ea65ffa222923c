#include "support/instruction_sets.h"

#include <atomic>
#include <cstdlib>
#include <stdexcept>
#ifdef NNPAL_TILES
#include <sys/syscall.h>
#include <unistd.h>
#endif

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
#ifdef NNPAL_TILES
namespace amx {    // AVX-512 and tiles for the networks
const NetworkFunctions<float> &network_functions(float);
const NetworkFunctions<double> &network_functions(double);
}    // namespace amx
#endif

namespace {

constexpr const char *kVariable = "NNPAL_INSTRUCTION_SET";

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

#define NNPAL_COMPILED(name, is_here, isa, networks)                                                         \
  Compiled                                                                                                   \
  {                                                                                                          \
    name, is_here, isa::aev_functions(0.0F), isa::aev_functions(0.0), networks::network_functions(0.0F),     \
        networks::network_functions(0.0), isa::training_functions(0.0F), isa::training_functions(0.0)        \
  }

#ifdef NNPAL_X86
bool has_avx512()
{
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("fma");
}
#endif
#ifdef NNPAL_TILES
// Linux gives a process tiles when it asks for them.
bool has_tiles()
{
  constexpr long kAskFor = 0x1023, kTileData = 18;    // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return has_avx512() && __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-bf16") &&
         syscall(SYS_arch_prctl, kAskFor, kTileData) == 0;
}
#endif

const std::vector<Compiled> &all_compiled()
{
  static const std::vector<Compiled> all{
#ifdef NNPAL_TILES
      NNPAL_COMPILED("amx", has_tiles(), avx512, amx),
#endif
#ifdef NNPAL_X86
      NNPAL_COMPILED("avx512", has_avx512(), avx512, avx512),
      NNPAL_COMPILED("avx2", __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"), avx2, avx2),
#endif
      NNPAL_COMPILED("baseline", true, baseline, baseline)};
  return all;
}
#undef NNPAL_COMPILED

const Compiled &named(const std::string &name, const std::string &by)
{
  std::string known;
  for (const Compiled &one : all_compiled()) {
    if (!one.is_here) continue;
    if (one.name == name) return one;
    known += (known.empty() ? "" : ", ") + std::string(one.name);
  }
  throw std::invalid_argument(by + " is '" + name + "', expected one of " + known);
}

// The user's choice, or the widest.
const Compiled *first_choice()
{
  if (const char *wanted = std::getenv(kVariable)) return &named(wanted, kVariable);
  for (const Compiled &one : all_compiled())
    if (one.is_here) return &one;
  return nullptr;    // not reached: baseline always exists
}

std::atomic<const Compiled *> &chosen()
{
  static std::atomic<const Compiled *> one{first_choice()};
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

std::string instruction_set()
{
  return chosen().load()->name;
}

void use_instruction_set(const std::string &name)
{
  chosen() = &named(name, "use_instruction_set: name");
}

}    // namespace nnpal
