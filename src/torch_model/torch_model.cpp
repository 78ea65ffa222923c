#include "torch_model.h"

#include "compiled_record.h"
#include "model_file/zip_directory.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <algorithm>
#include <cmath>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <sstream>
#include <stdexcept>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/torch.h>

namespace nnpal {
namespace {

// libtorch allocates the temporaries of every operation anew. By default glibc returns blocks of megabytes to
// the system at once and then faults in every page again, a quarter of a step's time; this makes it keep
// them.
void keep_freed_memory()
{
#ifdef __GLIBC__
  static const bool is_set = mallopt(M_MMAP_THRESHOLD, 32 << 20) && mallopt(M_TRIM_THRESHOLD, 256 << 20) &&
                             mallopt(M_TOP_PAD, 64 << 20);
  (void)is_set;
#endif
}

}    // namespace

// The message of a libtorch error: its first line, because the rest is a stack trace; or the last line of an
// error in TorchScript, where the trace comes first.
std::string essence(const std::exception &error)
{
  std::string text(error.what());
  if (text.rfind("The following operation failed", 0) != 0) return text.substr(0, text.find('\n'));
  text.erase(text.find_last_not_of(" \n") + 1);
  return text.substr(text.rfind('\n') + 1);
}

TorchModel::TorchModel(const std::string &archive, Metadata metadata, const ModelOptions &options) :
    Model(std::move(metadata), options),
    impl_(std::make_unique<Impl>())
{
  impl_->dtype = is_double() ? torch::kFloat64 : torch::kFloat32;
  impl_->n_threads = options.n_threads;
  std::vector<double> own;
  try {
    impl_->evaluator = load_evaluator(archive, this->metadata());
    own = impl_->evaluator->self_energies();
  } catch (const CompiledError &) {
    throw;
  } catch (
      const std::exception &error) {    // c10::Error, but also ErrorReport, std::bad_alloc, std::out_of_range
    throw std::runtime_error("libtorch cannot load it: " + printable(essence(error)) +
                             "; export the model again with nnpal.export_ensemble");
  }
  set_self_energies(std::move(own));
  try {
    impl_->device = torch::Device(options.device);
    if (impl_->device.is_cpu()) keep_freed_memory();
    impl_->evaluator->move_to(impl_->device, impl_->dtype);
    impl_->edge_vec = torch::empty({0, 3}, torch::dtype(impl_->dtype).device(impl_->device));
    check_reference(true);
    if (options.n_members > 0) use_members(options.n_members);
    impl_->evaluator->use_members(n_members());
    impl_->evaluator->optimize();
    check_reference(n_members() == this->metadata().n_members);
    if (this->metadata().has_charges) check_reference_charges();
    impl_->allows_tf32 =
        options.precision == ModelOptions::Precision::kTF32;    // the checks use full float32
  } catch (const c10::Error &error) {
    throw std::runtime_error("libtorch cannot run it: " + printable(essence(error)));
  }
}

TorchModel::~TorchModel() = default;

bool TorchModel::is_on_gpu() const
{
  return impl_->device.is_cuda();
}

bool TorchModel::finds_neighbors() const
{
  return !is_on_gpu() || operations_include_cuda();
}

int TorchModel::centers_per_tile() const
{
  // On a CPU a thread's share of a tile should stay in its cache: a step takes the same time with 96 to 256
  // centers, and 50 % longer with 864 (Ni, 5 members, AMD Zen 5). On a GPU it should be large enough to fill
  // it.
  return impl_->device.is_cpu() ? 256 * impl_->n_threads : 32768;
}

int TorchModel::edges_per_tile() const
{
  // Each tile is evaluated with the atoms around it, so larger ones cost less time and more memory. SchNet
  // with 128 features, 3 interactions and a cutoff of 5 Å needs 9 kB of float32 per edge; 13500 aluminum
  // atoms with 438,000 edges took 10.2 s and 1.3 GB with tiles of 1 << 17 edges, 7.8 s and 2.1 GB with 1 <<
  // 18, 3.8 s and 4.2 GB in one tile. A GPU has more memory and needs larger tiles.
  return impl_->device.is_cpu() ? 1 << 18 : 1 << 20;
}

TorchModel::Impl::Inputs TorchModel::Impl::upload(const Tile &tile)
{
  const std::int64_t n_edges = tile.n_edges();
  edge_index.resize(2 * n_edges);
  std::copy(tile.center.begin(), tile.center.end(), edge_index.begin());
  std::copy(tile.neighbor.begin(), tile.neighbor.end(), edge_index.begin() + n_edges);
  edge_vec.resize_({n_edges, 3});
  edge_vec.copy_(torch::from_blob(const_cast<double *>(tile.edge_vec.data()), {n_edges, 3}, torch::kFloat64));
  return {upload(tile.species, {tile.n_atoms()}), upload(edge_index, {2, n_edges}), edge_vec.detach()};
}

void TorchModel::evaluate(const Tile &tile, bool with_member_gradients, TileResult &result)
{
  const std::int64_t n_centers = tile.n_centers, n_edges = tile.n_edges();
  Impl &impl = *impl_;
  const std::size_t n_gradient = static_cast<std::size_t>(n_edges) * 3;
  result.energies.resize(static_cast<std::size_t>(n_members()) * n_centers);
  result.gradient.resize(n_gradient);
  result.member_gradient.resize(with_member_gradients ? n_members() * n_gradient : 0);

  try {
    const PythonLockGuard without_lock;
    const ThreadGuard threads(impl.n_threads);
    const TF32Guard products(impl.device.is_cuda(), impl.allows_tf32);
    // Profiling executors specialize on shapes, which differ in every call.
    const torch::jit::GraphOptimizerEnabledGuard no_specialization(false);
    const Impl::Inputs inputs = impl.upload(tile);
    const auto evaluated = impl.evaluator->evaluate(inputs.species, n_centers, inputs.edge_index,
                                                    inputs.edge_vec, with_member_gradients);
    const torch::Tensor &energies = evaluated.energies;
    if (energies.dim() != 2 || energies.size(0) != n_members() || energies.size(1) != n_centers)
      throw std::runtime_error("it returned energies of a wrong shape");

    const auto download = [](const torch::Tensor &from, double *to) {
      torch::from_blob(to, from.sizes(), torch::kFloat64).copy_(from.detach());
    };
    download(energies, result.energies.data());
    if (n_edges == 0) return;
    download(evaluated.gradients[0], result.gradient.data());
    for (int m = 0; with_member_gradients && m < n_members(); ++m)
      download(evaluated.gradients[m + 1], result.member_gradient.data() + m * n_gradient);
  } catch (const std::exception &error) {
    throw std::runtime_error("libtorch failed: " + essence(error));
  }
}

int cuda_device_count()
{
  return torch::cuda::is_available() ? static_cast<int>(torch::cuda::device_count()) : 0;
}

bool operations_include_cuda()
{
  const auto op = c10::Dispatcher::singleton().findSchemaOrThrow("nnpal::devices", "");
  const auto kinds = op.typed<std::vector<std::string>()>().call();
  return std::find(kinds.begin(), kinds.end(), "cuda") != kinds.end();
}

}    // namespace nnpal
