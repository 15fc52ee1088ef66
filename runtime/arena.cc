#include <algorithm>
#include <numeric>
#include <utility>

#include "runtime/plan.h"

namespace pleat::runtime {
namespace {

size_t Padded(size_t bytes) { return (bytes + 63) / 64 * 64; }

// The buffers placed so far, by the steps at which they are alive.
class Placed {
 public:
  explicit Placed(std::span<const Lifetime> buffers) : buffers_(buffers), seen_(buffers.size(), 0) {
    for (const Lifetime& buffer : buffers) end_ = std::max(end_, buffer.first + 1);
    alive_.resize(static_cast<size_t>(end_));
  }

  void Add(size_t index) {
    for (int s = buffers_[index].first; s < End(index); ++s) {
      alive_[static_cast<size_t>(s)].push_back(index);
    }
  }

  // Those alive together with a buffer that is not placed yet, each once.
  const std::vector<size_t>& Neighbours(size_t index) {
    neighbours_.clear();
    for (int s = buffers_[index].first; s < End(index); ++s) {
      for (const size_t other : alive_[static_cast<size_t>(s)]) {
        if (std::exchange(seen_[other], index + 1) != index + 1) neighbours_.push_back(other);
      }
    }
    return neighbours_;
  }

 private:
  // Nothing begins after the last step that counts.
  int End(size_t index) const { return std::min(buffers_[index].last, end_ - 1) + 1; }

  std::span<const Lifetime> buffers_;
  int end_ = 0;
  std::vector<std::vector<size_t>> alive_;
  std::vector<size_t> seen_;  // whose neighbour it was last, plus one
  std::vector<size_t> neighbours_;
};

bool AllAlike(std::span<const Lifetime> buffers) {
  return std::all_of(buffers.begin(), buffers.end(), [&](const Lifetime& buffer) {
    return buffer.first == buffers[0].first && buffer.last == buffers[0].last;
  });
}

}  // namespace

// Greedy by size: the largest buffer first, each at the lowest gap among those already placed that
// are alive with it (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net
// Inference", 2020).
std::vector<size_t> PlaceBuffers(std::span<const Lifetime> buffers, size_t* arena_bytes) {
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return buffers[a].bytes > buffers[b].bytes; });
  std::vector<size_t> offsets(buffers.size(), 0);
  *arena_bytes = 0;
  if (AllAlike(buffers)) {
    for (const size_t index : order) {
      offsets[index] = *arena_bytes;
      *arena_bytes += Padded(buffers[index].bytes);
    }
    return offsets;
  }
  Placed placed(buffers);
  for (const size_t index : order) {
    std::vector<size_t> neighbours = placed.Neighbours(index);
    std::sort(neighbours.begin(), neighbours.end(),
              [&](size_t a, size_t b) { return offsets[a] < offsets[b]; });
    const size_t bytes = Padded(buffers[index].bytes);
    size_t offset = 0;
    for (const size_t other : neighbours) {
      if (offsets[other] >= offset + bytes) break;
      offset = std::max(offset, offsets[other] + Padded(buffers[other].bytes));
    }
    offsets[index] = offset;
    placed.Add(index);
    *arena_bytes = std::max(*arena_bytes, offset + bytes);
  }
  return offsets;
}

}  // namespace pleat::runtime
