// Checks of arguments.
#pragma once

#include <sstream>
#include <stdexcept>

namespace nnpal {

// Throw std::invalid_argument, with all parts as its message, unless a condition holds.
template <class... Parts> void expect(bool holds, const Parts &...parts)
{
  if (holds) return;
  std::ostringstream text;
  (text << ... << parts);
  throw std::invalid_argument(text.str());
}

}    // namespace nnpal
