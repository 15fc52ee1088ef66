#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/plan.h"
#include "tests/support/random.h"

namespace pleat::runtime {
namespace {

void ExpectNoOverlap(const std::vector<Lifetime>& buffers) {
  size_t arena = 0;
  const std::vector<size_t> offsets = PlaceBuffers(buffers, &arena);
  for (size_t a = 0; a < buffers.size(); ++a) {
    EXPECT_EQ(offsets[a] % 64, 0u);
    EXPECT_LE(offsets[a] + buffers[a].bytes, arena);
    for (size_t b = 0; b < a; ++b) {
      const bool together =
          buffers[a].first <= buffers[b].last && buffers[b].first <= buffers[a].last;
      const bool overlap =
          offsets[a] < offsets[b] + buffers[b].bytes && offsets[b] < offsets[a] + buffers[a].bytes;
      EXPECT_FALSE(together && overlap) << a << " and " << b;
    }
  }
}

TEST(PlaceBuffers, NeverOverlapsBuffersAliveTogether) {
  tests::Random random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<Lifetime> buffers(static_cast<size_t>(random.Between(0, 40)));
    for (Lifetime& buffer : buffers) {
      buffer.first = static_cast<int>(random.Between(0, 20));
      buffer.last = static_cast<int>(random.Between(buffer.first, 25));
      buffer.bytes = static_cast<size_t>(random.Between(1, 1000));
    }
    ExpectNoOverlap(buffers);
  }
}

// Exact placement would take time cubic in their number.
TEST(PlaceBuffers, PlacesThousandsThatLiveLong) {
  tests::Random random(3);
  std::vector<Lifetime> buffers(3000);
  for (size_t i = 0; i < buffers.size(); ++i) {
    const auto first = static_cast<int>(i);
    buffers[i] = {static_cast<size_t>(random.Between(1, 1000)), first,
                  static_cast<int>(random.Between(first, 3000))};
  }
  ExpectNoOverlap(buffers);
}

TEST(PlaceBuffers, ReusesMemoryAlongAChain) {
  std::vector<Lifetime> chain;
  for (int i = 0; i < 10; ++i) chain.push_back({640, i, i + 1});
  size_t arena = 0;
  PlaceBuffers(chain, &arena);
  EXPECT_EQ(arena, 1280u);
}

TEST(PlaceBuffers, LeavesNoGapThatAnotherOrderCloses) {
  tests::Random random(2);
  for (int round = 0; round < 500; ++round) {
    std::vector<Lifetime> buffers(static_cast<size_t>(random.Between(3, 10)));
    std::vector<size_t> live(16, 0);
    for (Lifetime& buffer : buffers) {
      buffer.first = static_cast<int>(random.Between(0, 8));
      buffer.last = static_cast<int>(random.Between(buffer.first, buffer.first + 3));
      buffer.bytes = 64 * static_cast<size_t>(random.Between(1, 10));
      for (int s = buffer.first; s <= buffer.last; ++s) live[static_cast<size_t>(s)] += buffer.bytes;
    }
    size_t arena = 0;
    PlaceBuffers(buffers, &arena);
    const size_t bound = *std::max_element(live.begin(), live.end());
    EXPECT_LE(static_cast<double>(arena), 1.05 * static_cast<double>(bound)) << "round " << round;
  }
}

}  // namespace
}  // namespace pleat::runtime
