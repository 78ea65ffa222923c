#include "entry.h"

#include "torch_model.h"

namespace nnpal {
namespace {

std::unique_ptr<Model> load(const std::string &archive, const Metadata &metadata, const ModelOptions &options)
{
  return std::make_unique<TorchModel>(archive, metadata, options);
}

constexpr TorchFunctions kFunctions{load, cuda_device_count, operations_include_cuda};

}    // namespace
}    // namespace nnpal

extern "C" __attribute__((visibility("default"))) const nnpal::TorchFunctions *nnpal_torch_functions()
{
  return &nnpal::kFunctions;
}
