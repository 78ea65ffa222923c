// Evaluation of members by a program compiled with AOTInductor (nnpal compile).
#pragma once

#include "evaluator.h"

#include <torch/csrc/jit/api/module.h>

namespace nnpal {

// `scripted` evaluates the same archive by TorchScript; `module` is its module, with the weights. `record`
// and `package` are the contents of the archive's records of these names. Throws CompiledError if the program
// cannot run here or does not fit the weights.
std::unique_ptr<Evaluator> compiled_evaluator(std::unique_ptr<Evaluator> scripted,
                                              const torch::jit::Module &module, const std::string &record,
                                              const std::string &package, int n_members);

}    // namespace nnpal
