// Faults that folding is known for. The suite has to fail under each of them, which a build of its
// own shows (tests/converter/seeded_bugs_test.cc); everywhere else Seeded() is false at compile
// time, and nothing of this is left in the library.
#ifndef PLEAT_CONVERTER_SEEDED_BUGS_H_
#define PLEAT_CONVERTER_SEEDED_BUGS_H_

namespace pleat::converter {

enum class SeededBug {
  kNone,
  kBiasNotScaled,          // b + t instead of b * s + t
  kConvTransposeAxis0,     // s along the input channels of a transposed convolution
  kGroupBroadcast,         // s of group 0 for every group of a transposed convolution
  kNaivePaddedBias,        // the whole sum of w * t as bias, behind zero padding too
  kFanOutIgnored,          // other readers of the folded result get the scaled one
  kGraphOutputIgnored,     // so does the caller
  kSharedWeightsInPlace,   // every owner of the weights gets the scaled ones
  kTrainingModeIgnored,    // stored statistics where the batch's were asked for
  kEpsilonDefault,         // 1e-10 where the attribute is absent
  kMatchBySize,            // a constant is per channel when it has as many numbers
  kConstantMinusSign,      // c - x taken for x + c
  kCountIncludePad,        // a shift moved through an average that counts padding
  kCount,
};

#ifdef PLEAT_SEEDED_BUGS
bool Seeded(SeededBug bug);
#else
constexpr bool Seeded(SeededBug) { return false; }
#endif

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_SEEDED_BUGS_H_
