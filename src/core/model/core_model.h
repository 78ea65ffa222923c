// A model without libtorch: files of kernel fused with the record fused.json, on a CPU.
#pragma once

#include "model/model.h"
#include "model_file/fused_record.h"

#include <memory>

namespace nnpal {

// Evaluates the file's reference configuration and throws std::runtime_error, with a message for the user, if
// anything is wrong. Does not find neighbors. The file is not needed afterwards.
std::unique_ptr<Model> make_core_model(const FusedRecord &record, const Metadata &metadata,
                                       const ModelOptions &options);

}    // namespace nnpal
