#include "torch_library.h"

#include "versions.h"

#include <dlfcn.h>
#include <stdexcept>
#include <unistd.h>

namespace nnpal {

const TorchFunctions &torch_library()
{
  static const TorchFunctions *functions = nullptr;
  if (functions) return *functions;
  const std::string folder = folder_of(reinterpret_cast<const void *>(&torch_library));
  if (const std::string complaint = torch_mismatch(folder); !complaint.empty())
    throw std::runtime_error(complaint);
  const std::string library = folder + "/" + kTorchLibrary;
  void *loaded = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  void *entry = loaded ? dlsym(loaded, kTorchEntry) : nullptr;
  if (!entry) throw std::runtime_error("cannot load " + library + ": " + dlerror() + "; run: nnpal doctor");
  functions = reinterpret_cast<const TorchFunctions *(*)()>(entry)();
  return *functions;
}

bool gpu_may_be_there()
{
#ifdef NNPAL_TORCH_HAS_CUDA
  for (const char *one : {"/dev/nvidiactl", "/dev/dxg", "/dev/nvhost-ctrl"})    // Linux, WSL, Jetson
    if (access(one, F_OK) == 0) return true;
#endif
  return false;
}

}    // namespace nnpal
