// Restart files: the settings, the model file's name and fingerprint, and the element of each atom type.
#include "pair_nnp.h"

#include "collective.h"
#include "model_file/crc32.h"
#include "pair_nnp_state.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "utils.h"

#include <sstream>

using namespace LAMMPS_NS;

namespace {

// First line of the settings since they contain self_energies; before, it was the model's path.
constexpr char kVersion[] = "nnpal settings 2";

void write_text(FILE *file, const std::string &text)
{
  const int size = static_cast<int>(text.size());
  fwrite(&size, sizeof(int), 1, file);
  fwrite(text.data(), 1, text.size(), file);
}

// Read on rank 0, which has the file open, and broadcast.
std::string read_text(FILE *file, int rank, MPI_Comm world, Error *error)
{
  std::string text;
  if (rank == 0) {
    int size = 0;
    utils::sfread(FLERR, &size, sizeof(int), 1, file, nullptr, error);
    text.resize(size);
    if (size > 0) utils::sfread(FLERR, text.data(), 1, size, file, nullptr, error);
  }
  return nnpal::broadcast(text, world);
}

}    // namespace

void PairNNP::write_restart_settings(FILE *file)
{
  const nnpal::Settings &settings = state_->settings;
  write_text(file, kVersion);
  write_text(file, settings.self_energies ? "yes" : "no");
  write_text(file, settings.model_path);
  write_text(file, settings.device);
  write_text(file, settings.precision);
  write_text(file, std::to_string(settings.n_members));
  write_text(file, std::to_string(settings.n_threads));
  write_text(file, settings.neighbors);
  write_text(file, state_->fingerprint);
}

void PairNNP::read_restart_settings(FILE *file)
{
  const auto next = [&] { return read_text(file, comm->me, world, error); };
  nnpal::Settings &settings = state_->settings;
  settings.self_energies = true;
  settings.model_path = next();
  if (settings.model_path == kVersion) {
    settings.self_energies = next() == "yes";
    settings.model_path = next();
  }
  settings.device = next();
  settings.precision = next();
  settings.n_members = std::stoi(next());
  settings.n_threads = std::stoi(next());
  settings.neighbors = next();
  const std::string written_with = next();
  load_model(false);
  if (comm->me != 0) return;
  if (!state_->model)
    error->warning(
        FLERR,
        "pair_style nnp: model {}, named in the restart file, is missing here; give pair_style and "
        "pair_coeff again",
        settings.model_path);
  else if (state_->fingerprint != written_with)
    error->warning(FLERR,
                   "pair_style nnp: model {} is not the file that the restart file was written with "
                   "(fingerprint {}, then {})",
                   settings.model_path, state_->fingerprint, written_with);
}

void PairNNP::write_restart(FILE *file)
{
  write_restart_settings(file);
  std::string names;
  for (const auto &element : state_->elements) names += element + " ";
  write_text(file, names);
}

void PairNNP::read_restart(FILE *file)
{
  read_restart_settings(file);
  std::istringstream names(read_text(file, comm->me, world, error));
  std::vector<std::string> elements;
  for (std::string name; names >> name;) elements.push_back(name);
  if (state_->model) {
    map_types(elements);
    return;
  }
  allocate();    // marked as set, so that a run reaches init_style(), which reports the missing model
  for (int i = 1; i <= atom->ntypes; ++i)
    for (int j = i; j <= atom->ntypes; ++j) setflag[i][j] = 1;
}
