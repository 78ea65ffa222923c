// Decompression of the records that torch compresses: the code of modules.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace nnpal {

// Decompress a deflate stream (RFC 1951) whose content has exactly `size` bytes. Returns whether it is valid;
// never writes more than `size` bytes or reads beyond `packed`.
bool inflate(std::string_view packed, std::uint64_t size, std::string &content);

}    // namespace nnpal
