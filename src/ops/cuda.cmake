# CUDA implementations of the operations, if torch has CUDA and nvcc is found (CUDACXX names another one).
set(why_not "this torch has no CUDA")
if(EXISTS ${NNPAL_TORCH_DIR}/lib/libtorch_cuda.so)
  include(CheckLanguage)
  check_language(CUDA)
  set(why_not "no working nvcc was found; set CUDACXX to the one that fits torch")
endif()

if(CMAKE_CUDA_COMPILER)
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80 86 89 90)
  endif()
  enable_language(CUDA)
  target_sources(nnpal_ops PRIVATE
    aev/aev_cuda.cu aev/aev_on_cuda.cpp ensemble/ensemble_on_cuda.cpp networks/networks_cuda.cu neighbors/neighbors_cuda.cu
    pair_terms/repulsion_cuda.cu pair_terms/repulsion_on_cuda.cpp
    support/device_graph.cpp support/stream_cuda.cpp)
  target_compile_definitions(nnpal_ops PUBLIC NNPAL_CUDA)
  target_include_directories(nnpal_ops SYSTEM PRIVATE ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
  # Static runtime, because torch's copy may be of another minor version.
  set_target_properties(nnpal_ops PROPERTIES
    CUDA_STANDARD 17 CUDA_STANDARD_REQUIRED ON CUDA_RUNTIME_LIBRARY Static CUDA_VISIBILITY_PRESET hidden
    CUDA_ARCHITECTURES "${CMAKE_CUDA_ARCHITECTURES}")    # the target was created before the variable was set
  message(STATUS "nnpal: fused operations for CPU and CUDA ${CMAKE_CUDA_COMPILER_VERSION}, architectures ${CMAKE_CUDA_ARCHITECTURES}")
else()
  message(STATUS "nnpal: fused operations for the CPU alone: ${why_not}")
endif()
