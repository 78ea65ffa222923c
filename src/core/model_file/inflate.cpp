#include "model_file/inflate.h"

#include <algorithm>
#include <array>
#include <vector>

namespace nnpal {
namespace {

constexpr int kMostBits = 15, kEndOfBlock = 256;
// RFC 1951, section 3.2.5: base and extra bits of lengths and distances, and 3.2.7: order of code lengths.
constexpr std::array<int, 29> kLength{3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                      31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
constexpr std::array<int, 29> kLengthBits{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                          2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
constexpr std::array<int, 30> kDistance{1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
                                        33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
                                        1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
constexpr std::array<int, 30> kDistanceBits{0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                            6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};
constexpr std::array<int, 19> kOrder{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};

struct Damaged {};

class Bits {
public:
  explicit Bits(std::string_view bytes) : bytes_(bytes) {}

  int take(int n)
  {
    int value = 0;
    for (int i = 0; i < n; ++i) value |= next() << i;
    return value;
  }

  int next()
  {
    if (at_ >= bytes_.size()) throw Damaged{};
    const int bit = (static_cast<unsigned char>(bytes_[at_]) >> bit_) & 1;
    if (++bit_ == 8) {
      bit_ = 0;
      ++at_;
    }
    return bit;
  }

  // The next n whole bytes, from a byte boundary.
  std::string_view bytes(std::size_t n)
  {
    if (bit_ != 0) {
      bit_ = 0;
      ++at_;
    }
    if (bytes_.size() < at_ || bytes_.size() - at_ < n) throw Damaged{};
    at_ += n;
    return bytes_.substr(at_ - n, n);
  }

private:
  std::string_view bytes_;
  std::size_t at_ = 0;
  int bit_ = 0;
};

// A canonical prefix code, stored as the number of codes of each length and the symbols in code order.
class PrefixCode {
public:
  explicit PrefixCode(const std::vector<int> &lengths)
  {
    for (const int length : lengths) ++n_of_[length];
    n_of_[0] = 0;
    int left = 1;
    for (int length = 1; length <= kMostBits; ++length) {
      left = 2 * left - n_of_[length];
      if (left < 0) throw Damaged{};    // more codes than possible
    }
    for (int length = 1; length <= kMostBits; ++length)
      for (std::size_t symbol = 0; symbol < lengths.size(); ++symbol)
        if (lengths[symbol] == length) symbols_.push_back(static_cast<int>(symbol));
  }

  int decode(Bits &bits) const
  {
    int code = 0, first = 0, before = 0;
    for (int length = 1; length <= kMostBits; ++length) {
      code |= bits.next();
      const int n = n_of_[length];
      if (code - first < n) return symbols_[before + code - first];
      before += n;
      first = 2 * (first + n);
      code *= 2;
    }
    throw Damaged{};
  }

private:
  std::array<int, kMostBits + 1> n_of_{};
  std::vector<int> symbols_;
};

struct Codes {
  PrefixCode literals, distances;
};

Codes fixed_codes()
{
  std::vector<int> lengths(288, 8);
  std::fill(lengths.begin() + 144, lengths.begin() + 256, 9);
  std::fill(lengths.begin() + 256, lengths.begin() + 280, 7);
  return {PrefixCode(lengths), PrefixCode(std::vector<int>(30, 5))};
}

Codes read_codes(Bits &bits)
{
  const int n_literals = bits.take(5) + 257, n_distances = bits.take(5) + 1, n_lengths = bits.take(4) + 4;
  std::vector<int> of_lengths(kOrder.size(), 0);
  for (int i = 0; i < n_lengths; ++i) of_lengths[kOrder[i]] = bits.take(3);
  const PrefixCode code(of_lengths);
  std::vector<int> lengths;
  const auto n = static_cast<std::size_t>(n_literals + n_distances);
  while (lengths.size() < n) {
    const int symbol = code.decode(bits);
    if (symbol < 16) {
      lengths.push_back(symbol);
      continue;
    }
    if (symbol == 16 && lengths.empty()) throw Damaged{};
    const int repeated = symbol == 16 ? lengths.back() : 0;
    const int times = symbol == 16 ? 3 + bits.take(2) : symbol == 17 ? 3 + bits.take(3) : 11 + bits.take(7);
    lengths.insert(lengths.end(), times, repeated);
  }
  if (lengths.size() > n) throw Damaged{};
  return {PrefixCode({lengths.begin(), lengths.begin() + n_literals}),
          PrefixCode({lengths.begin() + n_literals, lengths.end()})};
}

void read_block(Bits &bits, const Codes &codes, std::uint64_t size, std::string &content)
{
  for (;;) {
    const int symbol = codes.literals.decode(bits);
    if (symbol == kEndOfBlock) return;
    if (symbol < kEndOfBlock) {
      if (content.size() >= size) throw Damaged{};
      content.push_back(static_cast<char>(symbol));
      continue;
    }
    const auto which = static_cast<std::size_t>(symbol - kEndOfBlock - 1);
    if (which >= kLength.size()) throw Damaged{};
    const auto length = static_cast<std::size_t>(kLength[which] + bits.take(kLengthBits[which]));
    const auto far = static_cast<std::size_t>(codes.distances.decode(bits));
    if (far >= kDistance.size()) throw Damaged{};
    const auto distance = static_cast<std::size_t>(kDistance[far] + bits.take(kDistanceBits[far]));
    if (distance > content.size() || length > size - content.size()) throw Damaged{};
    for (std::size_t i = 0; i < length; ++i) content.push_back(content[content.size() - distance]);
  }
}

void read_stored(Bits &bits, std::uint64_t size, std::string &content)
{
  const std::string_view head = bits.bytes(4);
  const auto byte = [&](int i) { return static_cast<unsigned>(static_cast<unsigned char>(head[i])); };
  const unsigned n = byte(0) | byte(1) << 8, inverted = byte(2) | byte(3) << 8;
  if ((n ^ inverted) != 0xffff || n > size - content.size()) throw Damaged{};
  content += bits.bytes(n);
}

}    // namespace

bool inflate(std::string_view packed, std::uint64_t size, std::string &content)
{
  content.clear();
  try {
    Bits bits(packed);
    for (bool is_last = false; !is_last;) {
      is_last = bits.next() != 0;
      const int kind = bits.take(2);
      if (kind == 0)
        read_stored(bits, size, content);
      else if (kind == 1)
        read_block(bits, fixed_codes(), size, content);
      else if (kind == 2)
        read_block(bits, read_codes(bits), size, content);
      else
        throw Damaged{};
    }
  } catch (const Damaged &) {
    return false;
  }
  return content.size() == size;
}

}    // namespace nnpal
