// Which of the compiled instruction sets is used: the widest that the processor has.
#pragma once

#include "aev/aev_cpu.h"
#include "networks/networks_cpu.h"
#include "training/training_cpu.h"

#include <string>
#include <vector>

namespace nnpal {

template <class T> const AEVFunctions<T> &aev_functions();
template <class T> const NetworkFunctions<T> &network_functions();
template <class T> const TrainingFunctions<T> &training_functions();

// Names of those that this processor has, the widest first.
std::vector<std::string> instruction_sets();

// Use another one, in all threads from now on; for tests. Throws std::invalid_argument where it is not among
// them.
void use_instruction_set(const std::string &name);

}    // namespace nnpal
