#include "model_impl.h"

#include "model_file/compiled_record.h"
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

// libtorch allocates the temporaries of every operation anew. By default glibc gives blocks of megabytes back
// to the system at once and then faults every page in again, a quarter of the time of a step; this lets it
// keep them.
void keep_freed_memory()
{
#ifdef __GLIBC__
  static const bool is_set = mallopt(M_MMAP_THRESHOLD, 32 << 20) && mallopt(M_TRIM_THRESHOLD, 256 << 20) &&
                             mallopt(M_TOP_PAD, 64 << 20);
  (void)is_set;
#endif
}

}    // namespace

double largest_difference(const std::vector<double> &found, const double *expected, std::size_t n)
{
  double largest = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    const double difference = std::abs(found[i] - expected[i]);
    largest = std::isfinite(difference) ? std::max(largest, difference) : INFINITY;
  }
  return largest;
}

double largest_magnitude(const std::vector<double> &values)
{
  double largest = 0.0;
  for (const double value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

// What a libtorch error is about: its first line, for the rest is a stack trace; or the last one of an error
// inside TorchScript, for there the trace comes first.
std::string essence(const std::exception &error)
{
  std::string text(error.what());
  if (text.rfind("The following operation failed", 0) != 0) return text.substr(0, text.find('\n'));
  text.erase(text.find_last_not_of(" \n") + 1);
  return text.substr(text.rfind('\n') + 1);
}

int first_non_finite_atom(const Tile &tile, const TileResult &result)
{
  const auto is_wrong = [](double value) { return !std::isfinite(value); };
  const auto energy = std::find_if(result.energies.begin(), result.energies.end(), is_wrong);
  if (energy != result.energies.end())
    return static_cast<int>((energy - result.energies.begin()) % tile.n_centers);
  const auto gradient = std::find_if(result.gradient.begin(), result.gradient.end(), is_wrong);
  if (gradient != result.gradient.end())
    return static_cast<int>(tile.center[(gradient - result.gradient.begin()) / 3]);
  return -1;
}

Tile tile_of(const ReferenceConfiguration &reference)
{
  return {reference.n_local, reference.species, reference.center, reference.neighbor, reference.edge_vec};
}

void Tile::clear()
{
  n_centers = 0;
  species.clear();
  center.clear();
  neighbor.clear();
  edge_vec.clear();
}

Model::Model(const std::string &archive, Metadata metadata, const ModelOptions &options) :
    impl_(std::make_unique<Impl>()),
    metadata_(std::move(metadata))
{
  using Precision = ModelOptions::Precision;
  is_double_ = options.precision == Precision::kDouble ||
               (options.precision == Precision::kOfFile && metadata_.is_double);
  impl_->dtype = is_double_ ? torch::kFloat64 : torch::kFloat32;
  impl_->n_threads = options.n_threads;
  try {
    impl_->evaluator = load_evaluator(archive, metadata_);
    self_energies_ = impl_->evaluator->self_energies();
  } catch (const CompiledError &) {
    throw;
  } catch (
      const std::exception &error) {    // c10::Error, but also ErrorReport, std::bad_alloc, std::out_of_range
    throw std::runtime_error("libtorch cannot load it: " + printable(essence(error)) +
                             "; export the model again with nnpal.export_ensemble");
  }
  if (self_energies_.size() != metadata_.elements.size())
    throw std::runtime_error("its self_energies are not one float64 for each element");
  if (!std::all_of(self_energies_.begin(), self_energies_.end(), [](double e) { return std::isfinite(e); }))
    throw std::runtime_error("its self_energies are not finite; export the model again");
  try {
    impl_->device = torch::Device(options.device);
    if (impl_->device.is_cpu()) keep_freed_memory();
    impl_->evaluator->move_to(impl_->device, impl_->dtype);
    impl_->edge_vec = torch::empty({0, 3}, torch::dtype(impl_->dtype).device(impl_->device));
    n_members_ = metadata_.n_members;
    check_reference(true);
    if (options.n_members > 0) n_members_ = options.n_members;
    impl_->evaluator->use_members(n_members_);
    impl_->evaluator->optimize();
    check_reference(n_members_ == metadata_.n_members);
    if (metadata_.has_charges) check_reference_charges();
    impl_->allows_tf32 = options.precision == Precision::kTF32;    // the checks are of full float32
  } catch (const c10::Error &error) {
    throw std::runtime_error("libtorch cannot run it: " + printable(essence(error)));
  }
}

Model::~Model() = default;

bool Model::is_on_gpu() const
{
  return impl_->device.is_cuda();
}

bool Model::operations_run_there() const
{
  return !is_on_gpu() || operations_include_cuda();
}

int Model::centers_per_tile() const
{
  // On a CPU a thread's share of a tile should stay in its cache: from 96 to 256 centers a step takes the
  // same, with 864 half as long again (Ni, 5 members, AMD Zen 5). On a GPU it should be large enough to fill
  // it.
  return impl_->device.is_cpu() ? 256 * impl_->n_threads : 32768;
}

int Model::edges_per_tile() const
{
  // Each tile is evaluated with the atoms around it, so larger ones cost less and take more memory. SchNet of
  // 128 features, 3 interactions and a cutoff of 5 Å takes 9 kB of float32 for each edge; 13500 aluminum
  // atoms with 438,000 edges took 10.2 s and 1.3 GB with tiles of 1 << 17 edges, 7.8 s and 2.1 GB with 1 <<
  // 18, 3.8 s and 4.2 GB in one tile. A GPU has more memory and wants larger tiles.
  return impl_->device.is_cpu() ? 1 << 18 : 1 << 20;
}

void Model::check_reference(bool with_gradient)
{
  const ReferenceConfiguration &reference = metadata_.reference;
  const Tile tile = tile_of(reference);
  TileResult result;
  evaluate(tile, false, result);

  const double relative = is_double_ ? 1e-8 : 1e-4;    // the model contract; float32 keeps 7 digits
  const double energy_error =
      largest_difference(result.energies, reference.energies.data(), result.energies.size());
  const double gradient_error = with_gradient ? largest_difference(result.gradient, reference.gradient.data(),
                                                                   reference.gradient.size())
                                              : 0.0;
  const double largest_gradient = largest_magnitude(reference.gradient);
  const bool energies_are_right = energy_error <= relative * largest_magnitude(reference.energies);
  if (energies_are_right && gradient_error <= relative * largest_gradient) return;
  // Earlier versions recorded gradients with torch's CELU slope, which is off by 1e-8 to 1e-7 in float64.
  const bool is_old_celu = is_double_ && energies_are_right && gradient_error <= 1e-6 * largest_gradient;
  std::ostringstream message;
  message << "its self-check fails: on the reference configuration that the file carries, energies differ by "
          << energy_error << " eV and gradients by " << gradient_error << " eV/Å from the recorded ones; "
          << (is_old_celu ? "a difference this small is typical of CELU models exported by an earlier nnpal, "
                            "whose recorded gradients used torch's CELU slope (inexact in double precision): "
                            "export the model again, or use precision single"
                          : "the file or this build's kernel is wrong, export the model again");
  throw std::runtime_error(message.str());
}

Model::Impl::Inputs Model::Impl::upload(const Tile &tile)
{
  const std::int64_t n_edges = tile.n_edges();
  edge_index.resize(2 * n_edges);
  std::copy(tile.center.begin(), tile.center.end(), edge_index.begin());
  std::copy(tile.neighbor.begin(), tile.neighbor.end(), edge_index.begin() + n_edges);
  edge_vec.resize_({n_edges, 3});
  edge_vec.copy_(torch::from_blob(const_cast<double *>(tile.edge_vec.data()), {n_edges, 3}, torch::kFloat64));
  return {upload(tile.species, {tile.n_atoms()}), upload(edge_index, {2, n_edges}), edge_vec.detach()};
}

void Model::evaluate(const Tile &tile, bool with_member_gradients, TileResult &result)
{
  const std::int64_t n_centers = tile.n_centers, n_edges = tile.n_edges();
  Impl &impl = *impl_;
  const std::size_t n_gradient = static_cast<std::size_t>(n_edges) * 3;
  result.energies.resize(static_cast<std::size_t>(n_members_) * n_centers);
  result.gradient.resize(n_gradient);
  result.member_gradient.resize(with_member_gradients ? n_members_ * n_gradient : 0);

  try {
    const ThreadGuard threads(impl.n_threads);
    const TF32Guard products(impl.device.is_cuda(), impl.allows_tf32);
    // Profiling executors specialize on shapes, and here every call has other shapes.
    const torch::jit::GraphOptimizerEnabledGuard no_specialization(false);
    const Impl::Inputs inputs = impl.upload(tile);
    const auto evaluated = impl.evaluator->evaluate(inputs.species, n_centers, inputs.edge_index,
                                                    inputs.edge_vec, with_member_gradients);
    const torch::Tensor &energies = evaluated.energies;
    if (energies.dim() != 2 || energies.size(0) != n_members_ || energies.size(1) != n_centers)
      throw std::runtime_error("it returned energies of a wrong shape");

    const auto download = [](const torch::Tensor &from, double *to) {
      torch::from_blob(to, from.sizes(), torch::kFloat64).copy_(from.detach());
    };
    download(energies, result.energies.data());
    if (n_edges == 0) return;
    download(evaluated.gradients[0], result.gradient.data());
    for (int m = 0; with_member_gradients && m < n_members_; ++m)
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
