#include "kernels/instruction_set.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "hwy/aligned_allocator.h"
#include "hwy/targets.h"

namespace pleat::kernels {
namespace {

TEST(InstructionSets, AreThoseThatTheCompilersLibraryFinds) {
  const std::vector<std::string> sets = InstructionSets();
  ASSERT_FALSE(sets.empty());
  if (sets.size() == 1) GTEST_SKIP() << "built for " << sets[0] << " alone";
#if defined(__x86_64__)
  __builtin_cpu_init();
  const auto has = [&](const char* name) {
    return std::find(sets.begin(), sets.end(), name) != sets.end();
  };
  const bool sse4 = __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("sse4.2") &&
                    __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("aes");
  const bool avx2 = sse4 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512bw");
  EXPECT_EQ(has("SSE4"), sse4);
  EXPECT_EQ(has("AVX2"), avx2);
  EXPECT_EQ(has("AVX3"), avx512);
#endif
}

TEST(InstructionSets, TheOneThatIsUsedIsTheOnlyOne) {
  const std::vector<std::string> sets = InstructionSets();
  if (sets.size() == 1) GTEST_SKIP() << "built for " << sets[0] << " alone";
  for (const std::string& set : sets) {
    UseInstructionSet(set);
    EXPECT_EQ(hwy::TargetName(hwy::SupportedTargets()), set);
    EXPECT_EQ(InstructionSets(), sets);
  }
  UseInstructionSet(sets.front());
}

TEST(Highway, MemoryIsAligned) {
  for (const size_t count : {1u, 15u, 16u, 17u, 100'000u}) {
    const auto numbers = hwy::AllocateAligned<float>(count);
    ASSERT_NE(numbers, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(numbers.get()) % HWY_ALIGNMENT, 0u);
    std::fill_n(numbers.get(), count, 1.0f);
  }
}

}  // namespace
}  // namespace pleat::kernels
