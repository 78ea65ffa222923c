// libtorch, which is opened only if needed: for GPUs, and for models that the core does not evaluate.
#pragma once

#include "entry.h"

#include <string>

namespace nnpal {

// The functions of libnnpal_torch_model.so in the folder of this library. Throws std::runtime_error, with a
// message for the user, if libtorch is missing, is not the one that this was built with, or cannot be loaded.
const TorchFunctions &torch_library();

// Whether libtorch may find a GPU here, checked without opening it.
bool gpu_may_be_there();

}    // namespace nnpal
