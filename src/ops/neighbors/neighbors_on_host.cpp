#include "neighbors/neighbors_kernels.h"
