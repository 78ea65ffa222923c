// Choice among the compiled instruction sets: the one named by the environment variable
// NNPAL_INSTRUCTION_SET, or the widest that the processor supports.
#pragma once

#include "aev/aev_cpu.h"
#include "networks/networks_cpu.h"
#include "training/training_cpu.h"

#include <string>
#include <vector>

namespace nnpal {

// Throw std::invalid_argument where the variable names another one.
template <class T> const AEVFunctions<T> &aev_functions();
template <class T> const NetworkFunctions<T> &network_functions();
template <class T> const TrainingFunctions<T> &training_functions();

// Names of those that this processor supports, the widest first.
std::vector<std::string> instruction_sets();

// The one in use. Throws as above.
std::string instruction_set();

// Use another one from now on, in all threads; for tests. Throws std::invalid_argument if it is not
// supported.
void use_instruction_set(const std::string &name);

}    // namespace nnpal
