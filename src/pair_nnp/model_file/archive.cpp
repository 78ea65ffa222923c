#include "model_file/archive.h"

#include <array>
#include <caffe2/serialize/inline_container.h>
#include <cstring>
#include <memory>
#include <sstream>
#include <utility>
#include <vector>

namespace nnpal {
namespace {

// Record layouts and signatures: PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and 4.3.14 to 4.3.16.
constexpr std::uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50;
constexpr std::uint32_t kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr std::size_t kEndSize = 22, kLocator64Size = 20, kCentralSize = 46;

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

// Names of all records with their recorded CRC-32.
std::vector<std::pair<std::string, std::uint32_t>> list_records(const std::string &bytes)
{
  const Directory directory = find_directory(bytes);
  std::vector<std::pair<std::string, std::uint32_t>> records;
  std::uint64_t at = directory.offset;
  for (std::uint64_t i = 0; i < directory.n_entries; ++i) {
    if (read<std::uint32_t>(bytes, at) != kCentral)
      throw ArchiveError("the file is damaged (its directory is broken)");
    const auto name_size = read<std::uint16_t>(bytes, at + 28);
    const auto rest = read<std::uint16_t>(bytes, at + 30) + read<std::uint16_t>(bytes, at + 32);
    if (bytes.size() - at < kCentralSize + name_size)
      throw ArchiveError("the file is truncated (its directory reaches past its end)");
    records.emplace_back(bytes.substr(at + kCentralSize, name_size), read<std::uint32_t>(bytes, at + 16));
    at += kCentralSize + name_size + rest;
  }
  return records;
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
  const auto records = list_records(bytes);
  std::string content;
  found = false;
  std::istringstream stream(bytes);
  std::unique_ptr<caffe2::serialize::PyTorchStreamReader> reader;
  try {
    reader = std::make_unique<caffe2::serialize::PyTorchStreamReader>(&stream);
  } catch (const std::exception &) {
    throw ArchiveError("the file is a zip archive, but not one that torch.jit.save wrote, or it is damaged");
  }
  for (const auto &[path, crc] : records) {
    const std::string name =
        path.substr(path.find('/') + 1);    // the reader adds the archive's folder itself
    std::tuple<at::DataPtr, std::size_t> record;
    try {
      record = reader->getRecord(name);
    } catch (const std::exception &) {
      throw ArchiveError("the file is damaged (record " + name + " cannot be unpacked)");
    }
    const auto *data = static_cast<const char *>(std::get<0>(record).get());
    const std::size_t size = std::get<1>(record);
    if (crc32(data, size) != crc)
      throw ArchiveError("the file is damaged (checksum of record " + name + " differs)");
    if (name == wanted) {
      content.assign(data, size);
      found = true;
    }
  }
  return content;
}

}    // namespace nnpal
