#include "load_model.h"

#include "model/core_model.h"
#include "model_file/archive.h"
#include "torch_library.h"

#include <stdexcept>

namespace nnpal {
namespace {

Metadata read_metadata(const Archive &archive)
{
  const auto json = archive.record(kMetadataRecord);
  if (!json)
    throw std::runtime_error("it is a zip archive but no nnpal model (it holds no nnpal.json); write it with "
                             "nnpal.export_ensemble");
  return parse_metadata(*json);
}

// The part of the file or the settings that needs libtorch, or "".
std::string what_needs_libtorch(const Settings &settings, const Metadata &metadata, bool has_arrays)
{
  if (metadata.kernel != "fused") return "its kernel is '" + metadata.kernel + "'";
  if (settings.device.rfind("cuda", 0) == 0) return "device is '" + settings.device + "'";
  if (has_arrays) return "";
  if (metadata.hops > 1) return "it has a dispersion";
  if (metadata.has_charges) return "an earlier version of nnpal wrote its charge networks (export it again)";
  return "an earlier version of nnpal wrote it (nnpal upgrade converts it)";
}

const TorchFunctions &libtorch_for(const std::string &what)
{
  try {
    return torch_library();
  } catch (const std::runtime_error &error) {
    throw std::runtime_error(what + ", which needs libtorch, but " + error.what());
  }
}

// libtorch, if it may find a GPU. If it cannot be loaded, the CPU is used without it.
const TorchFunctions *libtorch_for_gpus(std::string &note)
{
  if (!gpu_may_be_there()) return nullptr;
  try {
    return &torch_library();
  } catch (const std::runtime_error &error) {
    note = std::string("device auto uses the CPU, because libtorch, which GPUs need, is not usable: ") +
           error.what();
    return nullptr;
  }
}

ModelOptions model_options(const Settings &settings, const std::string &device)
{
  using Precision = ModelOptions::Precision;
  ModelOptions options;
  options.device = device;
  if (settings.precision == "single") options.precision = Precision::kSingle;
  if (settings.precision == "tf32") options.precision = Precision::kTF32;
  if (settings.precision == "double") options.precision = Precision::kDouble;
  options.n_members = settings.n_members;
  options.n_threads = settings.n_threads;
  return options;
}

}    // namespace

LoadedModel load_model(const std::string &bytes, const Settings &settings, int rank_on_node)
{
  const Archive archive(bytes);
  const Metadata metadata = read_metadata(archive);
  const auto arrays = read_fused_record(archive, metadata);
  const std::string what = what_needs_libtorch(settings, metadata, arrays.has_value());
  LoadedModel loaded;
  const TorchFunctions *torch = !what.empty()               ? &libtorch_for(what)
                                : settings.device == "auto" ? libtorch_for_gpus(loaded.note)
                                                            : nullptr;
  GPUs gpus;
  if (torch) {
    gpus = {torch->cuda_device_count(), metadata.kernel != "fused" || torch->operations_include_cuda()};
    if (settings.device == "auto" && gpus.n > 0 && !gpus.can_run_model)
      loaded.note = "device auto uses the CPU and none of " + std::to_string(gpus.n) +
                    " GPU(s), because nnpal was built without nvcc; see GPUs in docs/install.md";
  }
  loaded.device = resolve_device(settings.device, gpus, rank_on_node);
  if (settings.n_members > metadata.n_members)
    throw std::invalid_argument("members is " + std::to_string(settings.n_members) + ", but the file holds " +
                                std::to_string(metadata.n_members));
  const ModelOptions options = model_options(settings, loaded.device);
  const bool needs_torch = !what.empty() || loaded.device != "cpu";
  loaded.model =
      needs_torch ? torch->load(bytes, metadata, options) : make_core_model(*arrays, metadata, options);
  return loaded;
}

}    // namespace nnpal
