// Activation functions of the networks, for all devices.
#pragma once

namespace nnpal {

enum class Activation { kGELU, kCELU };

}    // namespace nnpal
