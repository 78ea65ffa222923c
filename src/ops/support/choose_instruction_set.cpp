// torch.ops.nnpal.instruction_sets, instruction_set, use_instruction_set.
#include "support/instruction_sets.h"

#include <torch/library.h>

TORCH_LIBRARY_FRAGMENT(nnpal, m)
{
  m.def("instruction_sets() -> str[]", &nnpal::instruction_sets);
  m.def("instruction_set() -> str", &nnpal::instruction_set);
  m.def("use_instruction_set(str name) -> ()", [](std::string name) { nnpal::use_instruction_set(name); });
}
