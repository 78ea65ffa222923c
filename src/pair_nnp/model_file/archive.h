// The zip container of a TorchScript file: whole or refused, before torch reads a byte of it.
#pragma once

#include "model_file/zip_directory.h"

#include <cstdint>
#include <string>

namespace nnpal {

// CRC-32 (ISO 3309, as zip files use it) of `size` bytes.
std::uint32_t crc32(const char *data, std::size_t size);

// Check every record of the TorchScript archive `bytes` against its recorded CRC-32 and return the content of
// the record `wanted`; `found` tells whether there is one. libtorch is built without these checks, so that it
// would run a weight with a flipped bit. Throws ArchiveError when the bytes are no such archive, end too
// early, or differ from their checksums.
std::string checked_record(const std::string &bytes, const std::string &wanted, bool &found);

}    // namespace nnpal
