// Checksum of zip files.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nnpal {

// CRC-32 (ISO 3309, as zip files use it) of `size` bytes.
std::uint32_t crc32(const char *data, std::size_t size);

}    // namespace nnpal
