// erfc(z) exp(z²) / t with t = 1 / (1 + 0.3 z), for z from 0 to kLargest: a polynomial in x = kSlope t -
// kOffset, which is from -1 to 1. Own fits at Chebyshev nodes, for the normal distribution on CPU and GPU.
#pragma once

namespace nnpal {

constexpr double kErfcxScale = 0.3;

template <class T, int kEnd> struct ErfcxRange {
  static constexpr double kLow = 1.0 / (1.0 + kErfcxScale * kEnd);    // t there
  static constexpr T kLargest = T(kEnd), kSlope = T(2.0 / (1.0 - kLow)),
                     kOffset = T((1.0 + kLow) / (1.0 - kLow));
};

template <class T> struct ErfcxSeries;
template <> struct ErfcxSeries<float> : ErfcxRange<float, 8> {    // relative error 2e-8
  static constexpr float kCoefficients[] = {0.4270004098F,    0.3041499644F,     0.1687936446F,
                                            0.07227445378F,   0.0228861642F,     0.004726907717F,
                                            0.0003255047215F, -0.0001261176548F, -3.094751135e-5F};
};
template <> struct ErfcxSeries<double> : ErfcxRange<double, 27> {    // relative error 4e-18
  static constexpr double kCoefficients[] = {
      0.3579337561385727246,     0.2891346043425449304,     0.1919941700544500516,
      0.1031996024367732529,     0.0432800863904424894,     0.01295738813127535698,
      0.002010664796715759384,   -0.0002856788868764052289, -0.0002227900469775797591,
      -0.0000207459955146558957, 0.00001666302261037492958, 3.951871951317595484e-6,
      -1.359850345855814348e-6,  -4.883899972061892507e-7,  1.425037868033952445e-7,
      5.546671225043090055e-8,   -1.917505505211158831e-8,  -5.803179368735406586e-9,
      2.879345011449198373e-9,   4.946848352666794916e-10,  -3.896070462133001819e-10,
      -2.47895874765035929e-11,  3.247760019233150169e-11};
};

}    // namespace nnpal
