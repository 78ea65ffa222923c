// Activation functions with their first and second derivatives, for loops on a CPU.
#pragma once

#include "support/lane_math.h"

namespace nnpal::NNPAL_ISA {

template <class T> struct GELU {
  NNPAL_INLINE void operator()(Lanes<T> x, Lanes<T> &value, Lanes<T> &slope) const
  {
    Lanes<T> density;
    (*this)(x, value, slope, density);    // unused results are not computed
  }
  NNPAL_INLINE void operator()(Lanes<T> x, Lanes<T> &value, Lanes<T> &slope, Lanes<T> &curvature) const
  {
    Lanes<T> magnitude, tail, density;
    normal(x, magnitude, tail, density);
    value = larger(x, T(0)) - magnitude * tail;
    const Lanes<T> below = tail - magnitude * density;    // the slope at -|x|
    slope = {x.v < T(0) ? below.v : (T(1) - below).v};
    curvature = density * (T(2) - magnitude * magnitude);
  }
};

template <class T> struct CELU {
  T alpha;
  NNPAL_INLINE void operator()(Lanes<T> x, Lanes<T> &value, Lanes<T> &slope) const
  {
    const Lanes<T> power = exponential(smaller(x, T(0)) * (T(1) / alpha));
    value = larger(x, T(0)) + (power - T(1)) * alpha;
    slope = power;    // 1 above 0
  }
  NNPAL_INLINE void operator()(Lanes<T> x, Lanes<T> &value, Lanes<T> &slope, Lanes<T> &curvature) const
  {
    (*this)(x, value, slope);
    const Lanes<T> below = slope * (T(1) / alpha);    // at 0 the left one, as in torch
    curvature = {x.v > T(0) ? Lanes<T>(T(0)).v : below.v};
  }
};

}    // namespace nnpal::NNPAL_ISA
