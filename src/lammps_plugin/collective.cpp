#include "collective.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <fstream>
#include <sstream>
#include <sys/stat.h>

namespace nnpal {
namespace {

void broadcast_bytes(std::string &bytes, int root, MPI_Comm world)
{
  long long size = static_cast<long long>(bytes.size());
  MPI_Bcast(&size, 1, MPI_LONG_LONG, root, world);
  bytes.resize(static_cast<std::size_t>(size));
  constexpr long long kChunk = 1 << 30;    // MPI counts are int
  for (long long at = 0; at < size; at += kChunk)
    MPI_Bcast(bytes.data() + at, static_cast<int>(std::min(kChunk, size - at)), MPI_CHAR, root, world);
}

}    // namespace

std::string agree_on_complaint(const std::string &complaint, MPI_Comm world)
{
  int rank;
  MPI_Comm_rank(world, &rank);
  int mine = complaint.empty() ? INT_MAX : rank, first;
  MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, world);
  if (first == INT_MAX) return "";
  std::string agreed = complaint;
  broadcast_bytes(agreed, first, world);
  return agreed;
}

bool read_file_everywhere(const std::string &path, std::string &bytes, MPI_Comm world)
{
  int rank, is_read = 1;
  MPI_Comm_rank(world, &rank);
  if (rank == 0) {
    struct stat status;
    errno = 0;
    if (stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) errno = EISDIR;
    std::ifstream file(errno ? std::string() : path, std::ios::binary);
    std::ostringstream content;
    if (file) content << file.rdbuf();
    is_read = errno == 0 && file.good() ? 1 : 0;
    bytes = is_read ? content.str() : std::strerror(errno ? errno : EIO);
  }
  MPI_Bcast(&is_read, 1, MPI_INT, 0, world);
  broadcast_bytes(bytes, 0, world);
  return is_read == 1;
}

std::string broadcast(std::string text, MPI_Comm world)
{
  broadcast_bytes(text, 0, world);
  return text;
}

int rank_on_node(MPI_Comm world)
{
  MPI_Comm node;
  MPI_Comm_split_type(world, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
  int rank;
  MPI_Comm_rank(node, &rank);
  MPI_Comm_free(&node);
  return rank;
}

}    // namespace nnpal
