// The directory of a zip archive, checked against the records that it lists.
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

// List every record of the archive `bytes`. Throws ArchiveError if these are not an archive of torch or are
// truncated, or if a record disagrees with the directory: position, name, method, an impossible size, or a
// repeated name. So no such record is unpacked or mistaken for another, and no memory is allocated by a
// damaged size.
std::vector<ZipRecord> list_records(std::string_view bytes);

// A record's name for messages, with bytes other than printable ASCII as `?`.
std::string printable(std::string name);

}    // namespace nnpal
