// Any network that folds or nearly does, chosen by the bytes: converted, it answers as stated, on
// reference and on fast kernels, to the bit where float32 holds every number on the way.
#include <cstdio>
#include <cstdlib>

#include "tests/converter/fold_oracle.h"

namespace {

struct Counts {
  int64_t networks = 0;
  ~Counts() { std::printf("%lld networks\n", static_cast<long long>(networks)); }
} counts;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pleat::tests;
  if (size == 0) return 0;
  constexpr Numbers kNumbers[] = {Numbers::kExact, Numbers::kAny, Numbers::kExtreme};
  const Numbers numbers = kNumbers[data[0] % 3];
  const Graph graph = RandomNet(Random(std::span(data + 1, size - 1)), numbers);
  ++counts.networks;
  const std::string wrong = Complaint(graph, numbers);
  if (wrong.empty()) return 0;
  std::fprintf(stderr, "%s\n%s\n", wrong.c_str(), Repro(graph, numbers).c_str());
  std::abort();
}
