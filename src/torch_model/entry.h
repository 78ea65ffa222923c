// The interface of the library for models by libtorch.
#pragma once

#include "model/model.h"

#include <memory>
#include <string>

namespace nnpal {

struct TorchFunctions {
  // Loads a complete file with verified checksums. Throws std::runtime_error, with a message for the user.
  std::unique_ptr<Model> (*load)(const std::string &archive, const Metadata &, const ModelOptions &);
  int (*cuda_device_count)();
  bool (*operations_include_cuda)();
};

inline constexpr char kTorchLibrary[] = "libnnpal_torch_model.so";
inline constexpr char kTorchEntry[] = "nnpal_torch_functions";    // returns const TorchFunctions *

}    // namespace nnpal
