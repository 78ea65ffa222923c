// Description of a model file's compiled program: the record `extra/compiled.json` of its archive.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace nnpal {

inline constexpr int kCompiledVersion = 1;
inline constexpr char kCompiledRecord[] = "compiled.json";
inline constexpr char kCompiledPackage[] = "compiled.pt2";    // AOTInductor's package

// A program that this process must not run, with a message for the user.
struct CompiledError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct CompiledWeight {
  std::string name, dtype;    // within a member; "float32", "float64", "int64", ...
  std::vector<std::int64_t> shape;
};

struct CompiledRecord {
  std::string torch;                        // version that compiled it, without the part from + on
  std::string platform, machine, dtype;     // as Python spells them
  std::vector<std::string> instructions;    // that the processor must have, by Linux names
  // Largest ratio of all edges to edges of centers; TorchScript evaluates tiles above it, because its module
  // omits, step by step, atoms that no longer affect the centers; none if it does not.
  std::optional<double> largest_halo;
  std::vector<CompiledWeight> weights;    // of a member, in the order of the program's inputs
};

// Read the JSON text. Throws CompiledError that names the fault.
CompiledRecord parse_compiled_record(const std::string &json_text);

// Throws CompiledError if the program was compiled for another libtorch than `torch`, another system, or a
// processor with instructions that this one lacks: it would crash.
void check_runs_here(const CompiledRecord &record, const std::string &torch);

}    // namespace nnpal
