// The zip container of a TorchScript file: whole or refused, before torch reads a byte of it.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace nnpal {

struct ArchiveError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// CRC-32 (ISO 3309, as zip files use it) of `size` bytes.
std::uint32_t crc32(const char *data, std::size_t size);

// Check every record of the zip archive `bytes` against its recorded CRC-32 and return the content of the
// record whose name ends in `wanted`. libtorch itself is built to skip these checks, so that a flipped bit in
// a weight would go unnoticed. Throws ArchiveError when the bytes are no zip archive, end too early, or
// differ from their checksums; returns false in `found` when no record has that name.
std::string checked_record(const std::string &bytes, const std::string &wanted, bool &found);

}    // namespace nnpal
