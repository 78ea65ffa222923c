#include "model_file/zip_directory.h"

#include <cstring>
#include <unordered_set>

namespace nnpal {
namespace {

// Record layouts, signatures and flags: PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12, 4.3.14
// to 4.3.16, 4.4.4 and 4.4.5.
constexpr std::uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50;
constexpr std::uint32_t kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr std::size_t kEndSize = 22, kLocator64Size = 20, kCentralSize = 46, kLocalSize = 30;
constexpr std::uint16_t kFlags = 0x8 | 0x800;    // the sizes follow the content; the name is UTF-8
constexpr std::uint16_t kStored = 0, kDeflated = 8;
constexpr std::uint32_t kFolder =
    0x10;    // in the MS-DOS attributes: torch then leaves the memory uninitialized
constexpr std::uint64_t kLargestRatio = 1032;    // of deflate: 258 bytes from 2 bits (RFC 1951)

template <typename T> T read(std::string_view bytes, std::uint64_t at)
{
  if (at > bytes.size() || bytes.size() - at < sizeof(T))
    throw ArchiveError("the file is truncated or damaged (a record reaches past its end)");
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));    // zip is little-endian, as are all targets
  return value;
}

std::string read_text(std::string_view bytes, std::uint64_t at, std::uint64_t size)
{
  if (at > bytes.size() || bytes.size() - at < size)
    throw ArchiveError("the file is truncated or damaged (a name reaches past its end)");
  return std::string(bytes.substr(at, size));
}

struct Directory {
  std::uint64_t n_entries, size, offset;
};

Directory find_directory(std::string_view bytes)
{
  if (bytes.size() < kEndSize || read<std::uint32_t>(bytes, 0) != kLocal)
    throw ArchiveError("the file is not a TorchScript archive");
  const std::size_t lowest = bytes.size() > kEndSize + 65535 ? bytes.size() - kEndSize - 65535 : 0;
  for (std::size_t at = bytes.size() - kEndSize + 1; at-- > lowest;) {
    if (read<std::uint32_t>(bytes, at) != kEnd) continue;
    if (at + kEndSize + read<std::uint16_t>(bytes, at + 20) != bytes.size()) continue;
    Directory found{read<std::uint16_t>(bytes, at + 10), read<std::uint32_t>(bytes, at + 12),
                    read<std::uint32_t>(bytes, at + 16)};
    if (at >= kLocator64Size && read<std::uint32_t>(bytes, at - kLocator64Size) == kLocator64) {
      const auto end64 = read<std::uint64_t>(bytes, at - kLocator64Size + 8);
      if (read<std::uint32_t>(bytes, end64) != kEnd64)
        throw ArchiveError("the file is damaged (its directory is not where it should be)");
      found = {read<std::uint64_t>(bytes, end64 + 32), read<std::uint64_t>(bytes, end64 + 40),
               read<std::uint64_t>(bytes, end64 + 48)};
    }
    return found;
  }
  throw ArchiveError("the file is truncated (the directory at its end is missing)");
}

// Read the directory entry at `at`. Values beyond 32 bits are in the extra field of ID 1, in this order
// (section 4.5.3).
ZipRecord read_entry(std::string_view bytes, std::uint64_t at)
{
  const auto name_size = read<std::uint16_t>(bytes, at + 28),
             extra_size = read<std::uint16_t>(bytes, at + 30);
  ZipRecord record{read_text(bytes, at + kCentralSize, name_size), read<std::uint32_t>(bytes, at + 16),
                   read<std::uint32_t>(bytes, at + 20), read<std::uint32_t>(bytes, at + 24),
                   read<std::uint32_t>(bytes, at + 42)};
  std::uint64_t field = at + kCentralSize + name_size;
  for (const std::uint64_t end = field + extra_size; field + 4 <= end;) {
    const auto id = read<std::uint16_t>(bytes, field), size = read<std::uint16_t>(bytes, field + 2);
    std::uint64_t value = field += 4;
    field += size;
    if (id != 1) continue;
    for (std::uint64_t *wide : {&record.content_size, &record.packed_size, &record.offset}) {
      if (*wide != 0xffffffff || value + 8 > field) continue;
      *wide = read<std::uint64_t>(bytes, value);
      value += 8;
    }
  }
  return record;
}

// Compare a record with its directory entry at `at`, and find its content, which must end before the
// directory begins.
void find_content(std::string_view bytes, std::uint64_t at, std::uint64_t directory, ZipRecord &record)
{
  const auto refuse = [&](const char *what) {
    throw ArchiveError("the file is damaged (record " + printable(record.name) + " " + what + ")");
  };
  const auto flags = read<std::uint16_t>(bytes, at + 8), method = read<std::uint16_t>(bytes, at + 10);
  const std::uint64_t local = record.offset;
  if ((flags & ~kFlags) != 0 || (method != kStored && method != kDeflated))
    refuse("is encrypted, or packed in another way than torch does");
  if ((read<std::uint32_t>(bytes, at + 38) & kFolder) != 0) refuse("is marked as a folder");
  if (read<std::uint32_t>(bytes, local) != kLocal) refuse("is not where the directory says");
  const auto name_size = read<std::uint16_t>(bytes, local + 26);
  if (read_text(bytes, local + kLocalSize, name_size) != record.name ||
      read<std::uint16_t>(bytes, local + 8) != method)
    refuse("is not the one that the directory says");
  const std::uint64_t content = local + kLocalSize + name_size + read<std::uint16_t>(bytes, local + 28);
  const std::uint64_t packed = record.packed_size, unpacked = record.content_size;
  if (content > directory || packed > directory - content || (method == kStored && packed != unpacked) ||
      unpacked / kLargestRatio > packed || (packed == 0 && unpacked > 0))
    refuse("has a size that cannot be");
  record.content = content;
  record.is_deflated = method == kDeflated;
}

}    // namespace

std::vector<ZipRecord> list_records(std::string_view bytes)
{
  const Directory directory = find_directory(bytes);
  std::vector<ZipRecord> records;
  std::unordered_set<std::string> names;
  std::uint64_t at = directory.offset;
  for (std::uint64_t i = 0; i < directory.n_entries; ++i) {
    if (read<std::uint32_t>(bytes, at) != kCentral)
      throw ArchiveError("the file is damaged (its directory is broken)");
    ZipRecord record = read_entry(bytes, at);
    find_content(bytes, at, directory.offset, record);
    if (!names.insert(record.name).second)
      throw ArchiveError("the file is damaged (it has two records " + printable(record.name) + ")");
    records.push_back(record);
    at += kCentralSize + record.name.size() + read<std::uint16_t>(bytes, at + 30) +
          read<std::uint16_t>(bytes, at + 32);
  }
  if (at - directory.offset != directory.size)
    throw ArchiveError("the file is damaged (its directory has another size than it says)");
  return records;
}

std::string printable(std::string name)
{
  for (char &c : name)
    if (c < ' ' || c > '~') c = '?';
  return name;
}

}    // namespace nnpal
