// What torch packs of an archive: the code of modules.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace nnpal {

// Unpack a deflate stream (RFC 1951) whose content has exactly `size` bytes. Returns whether it is one; never
// writes more than `size` bytes, nor reads beyond `packed`.
bool inflate(std::string_view packed, std::uint64_t size, std::string &content);

}    // namespace nnpal
