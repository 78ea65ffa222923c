#include "archive.h"

#include <array>
#include <cstring>

namespace nnpal {
namespace {

// Record layouts and signatures: PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12, 4.3.14 to 4.3.16.
constexpr std::uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50;
constexpr std::uint32_t kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr std::size_t kEndSize = 22, kLocator64Size = 20, kCentralSize = 46, kLocalSize = 30;

template <typename T> T read(const std::string &bytes, std::uint64_t at)
{
  if (at > bytes.size() || bytes.size() - at < sizeof(T))
    throw ArchiveError("the file is truncated or damaged (a record reaches past its end)");
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));    // zip is little-endian, as are all targets
  return value;
}

struct Directory {
  std::uint64_t n_entries, offset;
};

Directory find_directory(const std::string &bytes)
{
  if (bytes.size() < kEndSize || read<std::uint32_t>(bytes, 0) != kLocal)
    throw ArchiveError("the file is not a TorchScript archive");
  const std::size_t lowest = bytes.size() > kEndSize + 65535 ? bytes.size() - kEndSize - 65535 : 0;
  for (std::size_t at = bytes.size() - kEndSize + 1; at-- > lowest;) {
    if (read<std::uint32_t>(bytes, at) != kEnd) continue;
    if (at + kEndSize + read<std::uint16_t>(bytes, at + 20) != bytes.size()) continue;
    Directory found{read<std::uint16_t>(bytes, at + 10), read<std::uint32_t>(bytes, at + 16)};
    if (at >= kLocator64Size && read<std::uint32_t>(bytes, at - kLocator64Size) == kLocator64) {
      const auto end64 = read<std::uint64_t>(bytes, at - kLocator64Size + 8);
      if (read<std::uint32_t>(bytes, end64) != kEnd64)
        throw ArchiveError("the file is damaged (its directory is not where it should be)");
      found = {read<std::uint64_t>(bytes, end64 + 32), read<std::uint64_t>(bytes, end64 + 48)};
    }
    return found;
  }
  throw ArchiveError("the file is truncated (the directory at its end is missing)");
}

// The bytes that hold an entry's data; zip64 sizes never occur below 4 GB, which model files stay under.
std::string entry_data(const std::string &bytes, std::uint64_t central, const std::string &name)
{
  const auto crc = read<std::uint32_t>(bytes, central + 16);
  const auto packed = read<std::uint32_t>(bytes, central + 20);
  const auto size = read<std::uint32_t>(bytes, central + 24);
  std::uint64_t local = read<std::uint32_t>(bytes, central + 42);
  if (read<std::uint16_t>(bytes, central + 10) != 0 || packed != size)
    throw ArchiveError("the file is damaged or no TorchScript archive (record " + name + " is compressed)");
  if (read<std::uint32_t>(bytes, local) != kLocal ||
      bytes.compare(local + kLocalSize, read<std::uint16_t>(bytes, local + 26), name) != 0)
    throw ArchiveError("the file is damaged (record " + name + " is not where its directory says)");
  const std::uint64_t data =
      local + kLocalSize + read<std::uint16_t>(bytes, local + 26) + read<std::uint16_t>(bytes, local + 28);
  if (data > bytes.size() || bytes.size() - data < size)
    throw ArchiveError("the file is truncated (record " + name + " reaches past its end)");
  if (crc32(bytes.data() + data, size) != crc)
    throw ArchiveError("the file is damaged (checksum of record " + name + " differs)");
  return bytes.substr(data, size);
}

std::array<std::uint32_t, 256> make_crc_table()
{
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) ? 0xedb88320u : 0u);
    table[i] = value;
  }
  return table;
}

}    // namespace

std::uint32_t crc32(const char *data, std::size_t size)
{
  static const std::array<std::uint32_t, 256> table = make_crc_table();
  std::uint32_t value = 0xffffffffu;
  for (std::size_t i = 0; i < size; ++i)
    value = (value >> 8) ^ table[(value ^ static_cast<unsigned char>(data[i])) & 0xff];
  return value ^ 0xffffffffu;
}

std::string checked_record(const std::string &bytes, const std::string &wanted, bool &found)
{
  const Directory directory = find_directory(bytes);
  std::string content;
  found = false;
  std::uint64_t at = directory.offset;
  for (std::uint64_t i = 0; i < directory.n_entries; ++i) {
    if (read<std::uint32_t>(bytes, at) != kCentral)
      throw ArchiveError("the file is damaged (its directory is broken)");
    const auto name_size = read<std::uint16_t>(bytes, at + 28);
    const auto extra_size = read<std::uint16_t>(bytes, at + 30);
    const auto comment_size = read<std::uint16_t>(bytes, at + 32);
    if (bytes.size() - at < kCentralSize + name_size)
      throw ArchiveError("the file is truncated (its directory reaches past its end)");
    const std::string name = bytes.substr(at + kCentralSize, name_size);
    std::string data = entry_data(bytes, at, name);
    if (name.size() >= wanted.size() &&
        name.compare(name.size() - wanted.size(), wanted.size(), wanted) == 0) {
      content = std::move(data);
      found = true;
    }
    at += kCentralSize + name_size + extra_size + comment_size;
  }
  return content;
}

}    // namespace nnpal
