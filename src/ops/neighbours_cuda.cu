#include "neighbours_kernels.h"
