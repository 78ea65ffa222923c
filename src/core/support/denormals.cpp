#include "support/denormals.h"

namespace nnpal {

std::atomic<bool> keeps_denormals{false};

}    // namespace nnpal
