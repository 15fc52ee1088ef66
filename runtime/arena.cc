#include <algorithm>
#include <numeric>

#include "runtime/plan.h"

namespace pleat::runtime {

// Greedy by size: the largest buffer first, each at the lowest gap among those already placed that
// are alive with it (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net
// Inference", 2020).
std::vector<size_t> PlaceBuffers(std::span<const Lifetime> buffers, size_t* arena_bytes) {
  const auto padded = [](size_t bytes) { return (bytes + 63) / 64 * 64; };
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return buffers[a].bytes > buffers[b].bytes; });
  std::vector<size_t> offsets(buffers.size(), 0);
  std::vector<size_t> placed;  // by offset
  *arena_bytes = 0;
  for (size_t index : order) {
    const Lifetime& buffer = buffers[index];
    size_t offset = 0;
    for (size_t other : placed) {
      const Lifetime& neighbour = buffers[other];
      if (neighbour.last < buffer.first || buffer.last < neighbour.first) continue;
      if (offsets[other] >= offset + padded(buffer.bytes)) break;
      offset = std::max(offset, offsets[other] + padded(neighbour.bytes));
    }
    offsets[index] = offset;
    placed.insert(std::upper_bound(placed.begin(), placed.end(), index,
                                   [&](size_t a, size_t b) { return offsets[a] < offsets[b]; }),
                  index);
    *arena_bytes = std::max(*arena_bytes, offset + padded(buffer.bytes));
  }
  return offsets;
}

}  // namespace pleat::runtime
