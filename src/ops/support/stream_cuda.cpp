#include "support/device_graph.h"

#include <c10/cuda/CUDAStream.h>

namespace nnpal {

twin::Stream current_stream(const at::Tensor &on)
{
  return c10::cuda::getCurrentCUDAStream(on.get_device()).stream();
}

}    // namespace nnpal
