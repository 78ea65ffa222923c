#include "list/halo.h"

#include "comm.h"
#include "domain.h"
#include "fmt/format.h"

#include <array>
#include <cmath>

namespace nnpal {

using LAMMPS_NS::Comm;
using LAMMPS_NS::Domain;

namespace {

constexpr double kRounding = 1e-9;    // relative, of a length

// Factors by which LAMMPS multiplies a distance in each direction: in triclinic boxes they convert to lambda
// coordinates, measured between the box's faces.
std::array<double, 3> per_length(const Domain &domain)
{
  if (!domain.triclinic) return {1.0, 1.0, 1.0};
  const double *h_inv = domain.h_inv;    // xx yy zz yz xz xy
  // Always with three arguments: hypot with two needs a later glibc than that of RHEL 9
  return {std::hypot(h_inv[0], h_inv[5], h_inv[4]), std::hypot(h_inv[1], h_inv[3], 0.0), h_inv[2]};
}

}    // namespace

bool RaisedCutoff::raise(Comm &comm, double needed, const std::vector<const RaisedCutoff *> &others)
{
  if (comm.cutghostuser >= needed) return false;
  before_ = comm.cutghostuser;
  for (const RaisedCutoff *other : others)
    if (other->raised_ > 0.0 && other->raised_ == comm.cutghostuser) before_ = other->before_;
  raised_ = comm.cutghostuser = needed;
  return true;
}

void RaisedCutoff::put_back(Comm &comm)
{
  if (raised_ > 0.0 && comm.cutghostuser == raised_) comm.cutghostuser = before_;
  raised_ = 0.0;
}

std::string why_no_halo(const Comm &comm, const Domain &domain, double needed)
{
  if (comm.mode != Comm::SINGLE)
    return fmt::format(
        "comm_modify mode is multi, with which ghost atoms within {:.6g} Å of a subdomain are not "
        "there for all types; use `comm_modify mode single cutoff {:.6g}`",
        needed, needed);
  if (comm.style != Comm::TILED) return "";
  const auto scale = per_length(domain);
  for (int k = 0; k < 3; ++k) {
    const double length = (domain.triclinic ? 1.0 : domain.prd[k]) / scale[k];
    const bool is_flat = k == 2 && domain.dimension == 2;
    if (domain.periodicity[k] && !is_flat && needed > length)
      return fmt::format(
          "comm_style tiled cannot provide ghost atoms within {:.6g} Å of a subdomain where the "
          "periodic box is {:.6g} Å thick ({}); use comm_style brick or a larger box",
          needed, length, "xyz"[k]);
  }
  return "";
}

std::string missing_halo(const Comm &comm, const Domain &domain, double needed)
{
  const auto scale = per_length(domain);
  for (int k = 0; k < 3; ++k) {
    const double found = comm.cutghost[k] / scale[k];
    if (comm.mode == Comm::SINGLE && found >= needed * (1 - kRounding)) continue;
    return fmt::format(
        "ghost atoms were acquired within {:.6g} Å of a subdomain, but messages need them within "
        "{:.6g} Å; use `comm_modify mode single cutoff {:.6g}`",
        found, needed, needed);
  }
  return "";
}

}    // namespace nnpal
