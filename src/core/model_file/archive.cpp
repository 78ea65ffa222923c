#include "model_file/archive.h"

#include "model_file/crc32.h"
#include "model_file/inflate.h"

#include <algorithm>

namespace nnpal {
namespace {

constexpr const char *kVersions[] = {"version",
                                     ".data/version"};    // one is in every archive that torch writes

std::string_view folder_of(std::string_view name)
{
  return name.substr(0, name.find('/') + 1);    // empty where there is none
}

std::string_view without_folder(std::string_view name)
{
  return name.substr(name.find('/') + 1);
}

// torch writes a number and a newline there.
bool is_version(const std::string &text)
{
  constexpr std::size_t kMostDigits = 3;
  const std::size_t n_digits = text.find_first_not_of("0123456789");
  return n_digits == text.find('\n') && n_digits != 0 && std::min(n_digits, text.size()) <= kMostDigits;
}

[[noreturn]] void refuse(const ZipRecord &record, const std::string &before, const std::string &after)
{
  throw ArchiveError("the file is damaged (" + before + "record " +
                     printable(std::string(without_folder(record.name))) + after + ")");
}

}    // namespace

Archive::Archive(std::string_view bytes) : bytes_(bytes), records_(list_records(bytes))
{
  const auto version = record(find(kVersions[0]) ? kVersions[0] : kVersions[1]);
  if (!version || !is_version(*version))
    throw ArchiveError("the file is a zip archive, but not one that torch.jit.save wrote, or it is damaged");
  for (const ZipRecord &one : records_) {
    if (folder_of(one.name) != folder_of(records_.front().name)) refuse(one, "", " is in another folder");
    const std::string content = one.is_deflated ? unpacked(one) : std::string();
    const std::string_view checked = one.is_deflated ? std::string_view(content) : packed(one);
    if (crc32(checked.data(), checked.size()) != one.crc) refuse(one, "checksum of ", " differs");
  }
}

std::optional<std::string> Archive::record(const std::string &name) const
{
  const ZipRecord *found = find(name);
  if (!found) return std::nullopt;
  return found->is_deflated ? unpacked(*found) : std::string(packed(*found));
}

std::optional<std::string_view> Archive::stored_record(const std::string &name) const
{
  const ZipRecord *found = find(name);
  if (!found) return std::nullopt;
  if (found->is_deflated) refuse(*found, "", " is packed");
  return packed(*found);
}

const ZipRecord *Archive::find(const std::string &name) const
{
  for (const ZipRecord &one : records_)
    if (without_folder(one.name) == name) return &one;
  return nullptr;
}

std::string_view Archive::packed(const ZipRecord &record) const
{
  return bytes_.substr(record.content, record.packed_size);
}

std::string Archive::unpacked(const ZipRecord &record) const
{
  std::string content;
  if (!inflate(packed(record), record.content_size, content)) refuse(record, "", " cannot be unpacked");
  return content;
}

}    // namespace nnpal
