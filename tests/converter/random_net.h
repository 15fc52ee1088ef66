// Random networks over everything that folds and much that does not, for property tests.
#ifndef PLEAT_TESTS_CONVERTER_RANDOM_NET_H_
#define PLEAT_TESTS_CONVERTER_RANDOM_NET_H_

#include "tests/converter/passes_support.h"

namespace pleat::tests {

// Classes of parameters: small whole numbers and powers of two; any numbers; and any numbers with
// one batch norm that has a scale or shift of 0, infinity, NaN, or beyond or below float32.
enum class Numbers { kExact, kAny, kExtreme };

// Images of 1 to 3 spatial axes and matrices, in which sizes often coincide: one or two blocks of a
// producer, links, a batch norm or its arithmetic, and a consumer; values read twice or seen by the
// caller; shared weights. The same for the same seed or choices.
Graph RandomNet(Random random, Numbers numbers);
inline Graph RandomNet(uint64_t seed, Numbers numbers) { return RandomNet(Random(seed), numbers); }

}  // namespace pleat::tests

#endif  // PLEAT_TESTS_CONVERTER_RANDOM_NET_H_
