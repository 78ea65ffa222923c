// Load a model file for evaluation by the core, or by libtorch if needed.
#pragma once

#include "model/model.h"
#include "settings.h"

#include <memory>
#include <string>

namespace nnpal {

struct LoadedModel {
  std::unique_ptr<Model> model;
  std::string device;    // "cpu" or "cuda:N"
  std::string note;      // for the log, or ""
};

// Throws std::exception, with a message for the user, if the file or a setting cannot be used.
LoadedModel load_model(const std::string &bytes, const Settings &settings, int rank_on_node);

}    // namespace nnpal
