// End LAMMPS with an error that does not name the last input line, which is not at fault.
#pragma once

#include "error.h"
#include "fmt/format.h"

#include <string>

namespace nnpal {

// A template, so that the branch for other LAMMPS versions is not compiled: before 2025 the last line is
// always named.
template <typename Error>
[[noreturn]] void fail_with(Error &error, const std::string &file, int line, const std::string &message)
{
  if constexpr (requires { Error::NOLASTLINE; })
    error.all(file, line, Error::NOLASTLINE, message);
  else
    error.all(file, line, message);
}

// Called on every rank: fail(error, FLERR, "... {} ...", value).
template <typename... Args>
[[noreturn]] void fail(LAMMPS_NS::Error *error, const std::string &file, int line, const std::string &format,
                       Args &&...args)
{
  fail_with(*error, file, line, fmt::vformat(format, fmt::make_format_args(args...)));
}

}    // namespace nnpal
