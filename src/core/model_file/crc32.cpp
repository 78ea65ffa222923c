#include "model_file/crc32.h"

#include <array>

namespace nnpal {
namespace {

constexpr std::size_t kAtOnce = 8;    // bytes; one at a time is five times slower

using Tables = std::array<std::array<std::uint32_t, 256>, kAtOnce>;

// [k][b]: contribution of byte b to the value k bytes later.
Tables make_tables()
{
  Tables tables{};
  for (std::uint32_t b = 0; b < 256; ++b) {
    std::uint32_t value = b;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) ? 0xedb88320u : 0u);
    tables[0][b] = value;
  }
  for (std::size_t k = 1; k < kAtOnce; ++k)
    for (std::uint32_t b = 0; b < 256; ++b) {
      const std::uint32_t before = tables[k - 1][b];
      tables[k][b] = (before >> 8) ^ tables[0][before & 0xff];
    }
  return tables;
}

}    // namespace

std::uint32_t crc32(const char *data, std::size_t size)
{
  static const Tables tables = make_tables();
  const auto *byte = reinterpret_cast<const unsigned char *>(data);
  std::uint32_t value = 0xffffffffu;
  for (; size >= kAtOnce; size -= kAtOnce, byte += kAtOnce) {
    std::uint32_t next = 0;
    for (std::size_t k = 0; k < kAtOnce; ++k) {
      const std::uint32_t own = k < 4 ? (value >> (8 * k)) & 0xff : 0;
      next ^= tables[kAtOnce - 1 - k][byte[k] ^ own];
    }
    value = next;
  }
  for (; size > 0; --size, ++byte) value = (value >> 8) ^ tables[0][(value ^ *byte) & 0xff];
  return value ^ 0xffffffffu;
}

}    // namespace nnpal
