// The memory a session computes in.
#ifndef PLEAT_RUNTIME_MEMORY_H_
#define PLEAT_RUNTIME_MEMORY_H_

#include <cstddef>

#include "runtime/status.h"

namespace pleat::runtime {

// Memory from the caller: both functions or neither.
struct Allocator {
  // At least `bytes` bytes at a multiple of `alignment`, or null.
  void* (*allocate)(void* context, size_t bytes, size_t alignment) = nullptr;
  void (*deallocate)(void* context, void* memory, size_t bytes) = nullptr;
  void* context = nullptr;
};

// One block that grows: from the caller's allocator where there is one, else from operator new, in
// huge pages where the system grants them.
class Memory {
 public:
  explicit Memory(Allocator allocator) : allocator_(allocator) {}
  ~Memory() { Free(); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // 64-byte aligned; null before the first Reserve.
  std::byte* data() const { return static_cast<std::byte*>(data_); }
  size_t bytes() const { return bytes_; }
  // Makes the block at least `bytes` long; what it held is lost when it has to grow.
  Status Reserve(size_t bytes);

 private:
  static constexpr size_t kAlignment = 64;
  void Free();

  Allocator allocator_;
  void* data_ = nullptr;
  size_t bytes_ = 0;
  size_t alignment_ = kAlignment;  // that operator new was asked for
};

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_MEMORY_H_
