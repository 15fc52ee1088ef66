// Large blocks of memory in huge pages, where the system grants them: fewer misses of the table of
// pages while a network's weights and values stream by.
#ifndef PLEAT_KERNELS_HUGE_PAGES_H_
#define PLEAT_KERNELS_HUGE_PAGES_H_

#include <cstddef>

namespace pleat::kernels {

inline constexpr size_t kHugePageBytes = size_t{2} << 20;

// Asks for huge pages under the whole pages of [memory, memory + bytes), before it is first
// touched. A request only: nothing happens where the system has none.
void AdviseHugePages(void* memory, size_t bytes);

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_HUGE_PAGES_H_
