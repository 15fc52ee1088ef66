// Random networks through all passes, held against the network as stated in double: to the bit
// where every number is exact in float32, else within 256 units in the last place of
// sum |w||x| + |b|, never relative to the result. The first failing seeds print the shortest
// beginning of their network that fails; PLEAT_SEED=N runs that one alone.
//   PLEAT_GRAPHS=20000 converter_test --gtest_filter='PassProperty*'   the long form
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/converter/fold_oracle.h"

namespace pleat::tests {
namespace {

int Wanted(int otherwise) {
  const char* wanted = std::getenv("PLEAT_GRAPHS");
  return wanted != nullptr ? std::max(1, std::atoi(wanted) * otherwise / 1000) : otherwise;
}

void RunSeeds(Numbers numbers, int count) {
  const char* only = std::getenv("PLEAT_SEED");
  const int first = only != nullptr ? std::atoi(only) : 1;
  if (only != nullptr) count = 1;
  constexpr int kShown = 5;
  int folded = 0, kept = 0, exact = 0, failed = 0;
  for (int seed = first; seed < first + count; ++seed) {
    const Graph graph = RandomNet(static_cast<uint64_t>(seed), numbers);
    const std::string wrong = Complaint(graph, numbers);
    if (testing::Test::HasFailure() && (failed == 0 || GTEST_FLAG_GET(fail_fast))) return;
    if (!wrong.empty()) {
      if (++failed > kShown) continue;
      ADD_FAILURE() << "seed " << seed << ": " << wrong << "\n" << Repro(graph, numbers);
    }
    Graph converted = graph;
    if (!converter::RunPasses(converted, {}).ok()) continue;
    for (const fb::BatchNormT& entry : converted.batch_norms) {
      (entry.status == fb::FoldStatus::Folded ? folded : kept) += 1;
    }
    if (numbers == Numbers::kExact) exact += IsExact(graph, MakeInputs(graph, 7)) ? 1 : 0;
  }
  std::printf("%d of %d networks passed, %d of them to the bit: %d batch norms folded, %d kept\n",
              count - failed, count, exact, folded, kept);
  if (only != nullptr) return;
  EXPECT_GT(folded, count / 10);
  EXPECT_GT(kept, count / 30);
  EXPECT_GE(exact, numbers == Numbers::kExact ? count / 5 : 0);
}

TEST(PassProperty, ExactNumbersKeepTheirBits) { RunSeeds(Numbers::kExact, Wanted(500)); }
TEST(PassProperty, AnyNumbersStayWithinRounding) { RunSeeds(Numbers::kAny, Wanted(250)); }
TEST(PassProperty, ExtremeNumbersAreRefusedOrTheSame) { RunSeeds(Numbers::kExtreme, Wanted(250)); }

}  // namespace
}  // namespace pleat::tests
