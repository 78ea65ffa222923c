// The zip container of a TorchScript file, checked as a whole before any of it is used.
#pragma once

#include "model_file/zip_directory.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nnpal {

class Archive {
public:
  // `bytes` is the whole file, which must outlive this object. Checks every record against its recorded size
  // and CRC-32: libtorch is built without these checks and would use a weight with a flipped bit. Throws
  // ArchiveError if the bytes are not a TorchScript archive, are truncated, or do not match their checksums.
  explicit Archive(std::string_view bytes);

  // The content of a record, named without the archive's folder; none if there is no such record.
  std::optional<std::string> record(const std::string &name) const;
  // The same as a view of the file's bytes. Throws ArchiveError if the record is compressed.
  std::optional<std::string_view> stored_record(const std::string &name) const;

private:
  std::string_view bytes_;
  std::vector<ZipRecord> records_;    // with the folder

  const ZipRecord *find(const std::string &name) const;
  std::string_view packed(const ZipRecord &record) const;
  std::string unpacked(const ZipRecord &record) const;
};

}    // namespace nnpal
