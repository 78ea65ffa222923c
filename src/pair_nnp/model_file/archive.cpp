#include "model_file/archive.h"

#include <array>
#include <caffe2/serialize/inline_container.h>
#include <memory>
#include <sstream>

namespace nnpal {
namespace {

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
  for (const ZipRecord &listed : records) {
    const std::string name = listed.name.substr(listed.name.find('/') + 1);    // the reader adds the folder
    std::tuple<at::DataPtr, std::size_t> record;
    try {
      record = reader->getRecord(name);
    } catch (const std::exception &) {
      throw ArchiveError("the file is damaged (record " + printable(name) + " cannot be unpacked)");
    }
    const auto *data = static_cast<const char *>(std::get<0>(record).get());
    const std::size_t size = std::get<1>(record);
    if (size != listed.content_size || crc32(data, size) != listed.crc)
      throw ArchiveError("the file is damaged (checksum of record " + printable(name) + " differs)");
    if (name == wanted) {
      content.assign(data, size);
      found = true;
    }
  }
  return content;
}

}    // namespace nnpal
