// Buffers flush against inaccessible pages, so that one byte read or written outside is a fault.
#ifndef PLEAT_TESTS_SUPPORT_GUARDED_H_
#define PLEAT_TESTS_SUPPORT_GUARDED_H_

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <span>
#include <vector>

namespace pleat::tests {

// Which end of the buffer touches a guard page (the other end is within a page of one).
enum class Flush { kEnd, kBegin };

template <class T>
class Guarded {
 public:
  explicit Guarded(size_t count, Flush flush = Flush::kEnd) : count_(count) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t bytes = count * sizeof(T);
    const size_t inner = (bytes + page - 1) / page * page;
    mapped_bytes_ = inner + 2 * page;
    void* mapped = mmap(nullptr, mapped_bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) std::abort();
    mapped_ = static_cast<std::byte*>(mapped);
    if (inner > 0 && mprotect(mapped_ + page, inner, PROT_READ | PROT_WRITE) != 0) std::abort();
    data_ = reinterpret_cast<T*>(flush == Flush::kEnd ? mapped_ + page + inner - bytes
                                                      : mapped_ + page);
  }
  explicit Guarded(const std::vector<T>& values, Flush flush = Flush::kEnd)
      : Guarded(values.size(), flush) {
    for (size_t i = 0; i < count_; ++i) data_[i] = values[i];
  }
  ~Guarded() { munmap(mapped_, mapped_bytes_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return count_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  std::span<T> span() { return {data_, count_}; }

 private:
  size_t count_;
  std::byte* mapped_;
  size_t mapped_bytes_;
  T* data_;
};

}  // namespace pleat::tests

#endif  // PLEAT_TESTS_SUPPORT_GUARDED_H_
