#include "runtime/memory_account.h"

#include <atomic>

#include "runtime/checked.h"

namespace pleat::runtime {
namespace {

thread_local MemoryAccount* current = nullptr;

}  // namespace

struct MemoryAccount::Books {
  std::atomic<int64_t> used{0};
  int64_t limit = 0;
};

MemoryAccount::MemoryAccount(int64_t limit, int64_t for_each_byte_read)
    : books_(std::make_shared<Books>()),
      for_each_byte_read_(for_each_byte_read),
      outer_(current) {
  books_->limit = limit;
  current = this;
}

MemoryAccount::~MemoryAccount() { current = outer_; }

MemoryAccount* MemoryAccount::Current() { return current; }

void MemoryAccount::CountRead(size_t bytes) {
  if (current == nullptr) return;
  const Checked more = Checked(static_cast<int64_t>(bytes)) * current->for_each_byte_read_;
  current->books_->limit = (more + current->books_->limit).value_or(INT64_MAX);
}

std::shared_ptr<const void> MemoryAccount::Charge(size_t bytes) {
  struct Entry {
    explicit Entry(std::shared_ptr<Books> b) : books(std::move(b)) {}
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

    std::shared_ptr<Books> books;
    int64_t bytes = 0;
    ~Entry() { books->used -= bytes; }
  };
  const auto taken = static_cast<int64_t>(bytes);
  const int64_t wanted = (Checked(books_->used) + taken).value_or(INT64_MAX);
  if (wanted > books_->limit) throw OverMemoryLimit(wanted, books_->limit);
  auto entry = std::make_shared<Entry>(books_);
  books_->used += taken;
  entry->bytes = taken;
  return entry;
}

}  // namespace pleat::runtime
