// torch.ops.nnpal.instruction_sets, use_instruction_set: for tests.
#include "support/instruction_sets.h"

#include <stdexcept>
#include <torch/library.h>

namespace {

void use_instruction_set(std::string name)
{
  try {
    nnpal::use_instruction_set(name);
  } catch (const std::invalid_argument &error) {
    TORCH_CHECK_VALUE(false, error.what());
  }
}

}    // namespace

TORCH_LIBRARY_FRAGMENT(nnpal, m)
{
  m.def("instruction_sets() -> str[]", &nnpal::instruction_sets);
  m.def("use_instruction_set(str name) -> ()", &use_instruction_set);
}
