#include "compiled_record.h"

#include "json.h"    // nlohmann's, as LAMMPS ships it
#include "model_file/zip_directory.h"

#include <fstream>
#include <sstream>
#include <unordered_set>

namespace nnpal {
namespace {

using Json = LAMMPS_NS::json;

constexpr const char *kCompileAgain = "; compile the file again, on this machine, with nnpal compile, or use "
                                      "the file that it was compiled from";

#if defined(__linux__)
constexpr const char *kPlatform = "linux";
#else
constexpr const char *kPlatform = "another";
#endif
#if defined(__x86_64__)
constexpr const char *kMachine = "x86_64";
#else
constexpr const char *kMachine = "another";
#endif

// Features of the first processor, as listed by Linux; empty elsewhere.
std::unordered_set<std::string> cpu_instructions()
{
  std::unordered_set<std::string> found;
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("flags", 0) != 0) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    for (std::string word; words >> word;) found.insert(word);
    break;
  }
  return found;
}

void require(const char *what, const std::string &needed, const std::string &here)
{
  if (needed != here)
    throw CompiledError("it is compiled for " + std::string(what) + " " + printable(needed) +
                        ", but this is " + here + kCompileAgain);
}

}    // namespace

CompiledRecord parse_compiled_record(const std::string &json_text)
{
  CompiledRecord record;
  try {
    const Json json = Json::parse(json_text);
    if (json.at("version") != kCompiledVersion)
      throw CompiledError("its compiled.json has version " + printable(json.at("version").dump()) +
                          ", expected " + std::to_string(kCompiledVersion) + kCompileAgain);
    record.torch = json.at("torch_version").get<std::string>();
    record.platform = json.at("platform").get<std::string>();
    record.machine = json.at("machine").get<std::string>();
    record.dtype = json.at("dtype").get<std::string>();
    record.instructions = json.at("instructions").get<std::vector<std::string>>();
    if (const Json &halo = json.at("largest_halo"); !halo.is_null()) record.largest_halo = halo.get<double>();
    for (const Json &weight : json.at("weights"))
      record.weights.push_back({weight.at(0).get<std::string>(), weight.at(1).get<std::string>(),
                                weight.at(2).get<std::vector<std::int64_t>>()});
  } catch (const Json::exception &error) {
    throw CompiledError("its compiled.json cannot be read (" + printable(error.what()) + ")" + kCompileAgain);
  }
  return record;
}

void check_runs_here(const CompiledRecord &record, const std::string &torch)
{
  require("torch", record.torch, torch);
  require("platform", record.platform, kPlatform);
  require("machine", record.machine, kMachine);
  const auto here = cpu_instructions();
  for (const std::string &name : record.instructions)
    if (here.count(name) == 0)
      throw CompiledError("it is compiled for a processor with " + printable(name) +
                          ", which this one lacks" + kCompileAgain);
}

}    // namespace nnpal
