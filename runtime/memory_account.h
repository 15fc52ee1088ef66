// Bounds the tensors that one piece of work makes.
#ifndef PLEAT_RUNTIME_MEMORY_ACCOUNT_H_
#define PLEAT_RUNTIME_MEMORY_ACCOUNT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace pleat::runtime {

// Thrown by Tensor::Make, before it allocates, where the account would go beyond its limit.
class OverMemoryLimit : public std::bad_alloc {
 public:
  OverMemoryLimit(int64_t bytes, int64_t limit) : bytes_(bytes), limit_(limit) {}
  const char* what() const noexcept override { return "over the limit of memory for tensors"; }
  int64_t bytes() const { return bytes_; }  // that the tensors would have taken
  int64_t limit() const { return limit_; }

 private:
  int64_t bytes_, limit_;
};

// While one lives, tensors that its thread makes are charged to it until their memory is freed, by
// whichever thread and whenever that is. Of several on a thread, the youngest is charged.
class MemoryAccount {
 public:
  // The limit grows by `for_each_byte_read` as CountRead is told of them.
  explicit MemoryAccount(int64_t limit, int64_t for_each_byte_read = 0);
  ~MemoryAccount();
  MemoryAccount(const MemoryAccount&) = delete;
  MemoryAccount& operator=(const MemoryAccount&) = delete;

  // The account that this thread's tensors are charged to now, or null.
  static MemoryAccount* Current();

  static void CountRead(size_t bytes);  // in the account that is current, if one is
  // Takes the bytes until the result is destroyed, or throws OverMemoryLimit.
  std::shared_ptr<const void> Charge(size_t bytes);

 private:
  struct Books;
  std::shared_ptr<Books> books_;
  int64_t for_each_byte_read_;
  MemoryAccount* outer_;
};

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_MEMORY_ACCOUNT_H_
