// libtorch, which is opened where something needs it: GPUs, and what the core does not evaluate.
#pragma once

#include "entry.h"

#include <string>

namespace nnpal {

// The functions of libnnpal_torch_model.so beside this library. Throws std::runtime_error, in words for the
// user, where libtorch is not there, is another one than this was built with, or cannot be loaded.
const TorchFunctions &torch_library();

// Whether libtorch may find a GPU here, told without opening it.
bool gpu_may_be_there();

}    // namespace nnpal
