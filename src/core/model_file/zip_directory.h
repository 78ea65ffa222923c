// The directory of a zip archive, in agreement with the records that it lists.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace nnpal {

struct ArchiveError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct ZipRecord {
  std::string name;
  std::uint32_t crc;    // CRC-32 of the content
  std::uint64_t packed_size, content_size, offset;
  std::uint64_t content = 0;    // where the bytes of the content begin
  bool is_deflated = false;
};

// Every record of the archive `bytes`. Throws ArchiveError when these are no archive of torch, or end too
// early, or when a record is not where and what the directory says: another name or method, a size that
// cannot be, a name that comes twice. Nobody unpacks such a record then, or takes one for another, or asks
// for memory by a damaged size.
std::vector<ZipRecord> list_records(std::string_view bytes);

// A name of the file for a message: bytes that are no printable ASCII as `?`.
std::string printable(std::string name);

}    // namespace nnpal
