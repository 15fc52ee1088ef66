#include "runtime/memory.h"

#include <algorithm>
#include <cstdint>
#include <new>

#include "kernels/huge_pages.h"

namespace pleat::runtime {

Status Memory::Reserve(size_t bytes) {
  bytes = std::max(bytes, kAlignment);
  if (bytes <= bytes_) return Status::Ok();
  Free();
  if (allocator_.allocate != nullptr) {
    data_ = allocator_.allocate(allocator_.context, bytes, kAlignment);
  } else {
    alignment_ = bytes < kernels::kHugePageBytes ? kAlignment : kernels::kHugePageBytes;
    data_ = ::operator new (bytes, std::align_val_t{alignment_}, std::nothrow);
    if (data_ != nullptr) kernels::AdviseHugePages(data_, bytes);
  }
  if (data_ == nullptr) {
    return {StatusCode::kOutOfMemory,
            "a run needs " + std::to_string(bytes) + " bytes of memory, got none"};
  }
  bytes_ = bytes;
  if (reinterpret_cast<uintptr_t>(data_) % kAlignment == 0) return Status::Ok();
  Free();
  return InvalidArgument("the allocator's memory is not at a multiple of 64", "ALLOCATOR");
}

void Memory::Free() {
  if (data_ == nullptr) return;
  if (allocator_.allocate != nullptr) {
    allocator_.deallocate(allocator_.context, data_, bytes_);
  } else {
    ::operator delete (data_, std::align_val_t{alignment_});
  }
  data_ = nullptr;
  bytes_ = 0;
}

}  // namespace pleat::runtime
