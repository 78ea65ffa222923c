// What a compiled model file says of its program: the record `extra/compiled.json` of its archive.
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

// A program that this process must not run, in words for the user.
struct CompiledError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct CompiledWeight {
  std::string name, dtype;    // within a member; "float32", "float64", "int64", ...
  std::vector<std::int64_t> shape;
};

struct CompiledRecord {
  std::string torch;                        // version that compiled it, without what follows a +
  std::string platform, machine, dtype;     // as Python spells them
  std::vector<std::string> instructions;    // that the processor must have, as Linux names them
  // Tiles with more than so many times the edges of their centers are TorchScript's, whose module leaves out,
  // round by round, what no longer matters to the centers; none where its module does not.
  std::optional<double> largest_halo;
  std::vector<CompiledWeight> weights;    // of a member, in the order of the program's inputs
};

// Read the JSON text. Throws CompiledError that says what is wrong with it.
CompiledRecord parse_compiled_record(const std::string &json_text);

// Throws CompiledError where the program was compiled for another libtorch than `torch`, another system or a
// processor with instructions that this one lacks: it would crash.
void check_runs_here(const CompiledRecord &record, const std::string &torch);

}    // namespace nnpal
