// The compiled part of Highway, as far as kernels need it: which instruction sets the processor
// has, and aligned memory. Debian's libhwy.so also holds a benchmark that measures the clock in
// every process which loads it, before main. Weak: a program that links Highway's own keeps those.
#undef HWY_SHARED_DEFINE  // what is defined here is no shared library's
#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "hwy/aligned_allocator.h"
#include "hwy/targets.h"

#if HWY_ARCH_X86
#include <cpuid.h>
#endif

namespace hwy {
namespace {

#if HWY_ARCH_X86

struct Features {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

// All zero where the processor has no such leaf.
Features Leaf(unsigned leaf) {
  Features found;
  __get_cpuid_count(leaf, 0, &found.eax, &found.ebx, &found.ecx, &found.edx);
  return found;
}

// Registers that the system keeps for each thread.
unsigned SavedRegisters() {
  unsigned low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

// Each set needs those before it, and all that its code is compiled for.
int64_t DetectTargets() {
  const auto has = [](unsigned features, unsigned wanted) { return (features & wanted) == wanted; };
  const Features basic = Leaf(1), more = Leaf(7);
  int64_t targets = 0;
  if (!has(basic.ecx, bit_SSSE3)) return targets;
  targets |= HWY_SSSE3;
  if (!has(basic.ecx, bit_SSE4_1 | bit_SSE4_2 | bit_PCLMUL | bit_AES)) return targets;
  targets |= HWY_SSE4;
  constexpr unsigned kSse = 2, kAvx = 4, kAvx512 = 0xe0;
  if (!has(basic.ecx, bit_OSXSAVE | bit_AVX | bit_FMA | bit_F16C) ||
      !has(more.ebx, bit_AVX2 | bit_BMI | bit_BMI2) || !has(SavedRegisters(), kSse | kAvx)) {
    return targets;
  }
  targets |= HWY_AVX2;
  if (!has(more.ebx, bit_AVX512F | bit_AVX512VL | bit_AVX512DQ | bit_AVX512BW) ||
      !has(SavedRegisters(), kAvx512)) {
    return targets;
  }
  return targets | HWY_AVX3;
}

#else

int64_t DetectTargets() { return 0; }  // no other set than the one that all code is compiled for

#endif

// Set by SetSupportedTargetsForTest; 0: none.
std::atomic<int64_t> chosen_for_test{0};

}  // namespace

__attribute__((weak)) int64_t SupportedTargets() {
  static const int64_t kDetected = DetectTargets() | HWY_STATIC_TARGET | HWY_EMU128 | HWY_SCALAR;
  const int64_t chosen = chosen_for_test;
  return chosen != 0 ? chosen : kDetected;
}

__attribute__((weak)) void SetSupportedTargetsForTest(int64_t targets) {
  chosen_for_test = targets;
}

__attribute__((weak)) ChosenTarget& GetChosenTarget() {
  static ChosenTarget chosen;
  return chosen;
}

// Kernels bring no allocators of their own.
__attribute__((weak)) void* AllocateAlignedBytes(size_t bytes, AllocPtr, void*) {
  constexpr size_t kLine = HWY_ALIGNMENT;
  return std::aligned_alloc(kLine, (bytes + kLine - 1) / kLine * kLine);
}

// What an assertion of Highway's headers that does not hold ends in, where they are compiled in.
__attribute__((weak)) void Abort(const char* file, int line, const char* format, ...) {
  std::fprintf(stderr, "%s:%d: ", file, line);
  va_list arguments;
  va_start(arguments, format);
  std::vfprintf(stderr, format, arguments);
  va_end(arguments);
  std::fputc('\n', stderr);
  std::abort();
}

__attribute__((weak)) void FreeAlignedBytes(const void* memory, FreePtr, void*) {
  std::free(const_cast<void*>(memory));
}

}  // namespace hwy
