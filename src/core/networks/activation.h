// Activation functions of the networks, for every device.
#pragma once

namespace nnpal {

enum class Activation { kGELU, kCELU };

}    // namespace nnpal
