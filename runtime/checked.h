// Arithmetic on sizes that come from a file or a caller. The only way such numbers are combined.
#ifndef PLEAT_RUNTIME_CHECKED_H_
#define PLEAT_RUNTIME_CHECKED_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace pleat::runtime {

// A signed 64-bit number that remembers whether any step towards it overflowed.
class Checked {
 public:
  constexpr Checked(int64_t value) : value_(value) {}
  constexpr bool ok() const { return ok_; }
  // The number, or nothing after an overflow.
  constexpr std::optional<int64_t> get() const {
    return ok_ ? std::optional<int64_t>(value_) : std::nullopt;
  }
  // The number; `otherwise` after an overflow.
  constexpr int64_t value_or(int64_t otherwise) const { return ok_ ? value_ : otherwise; }

  friend constexpr Checked operator+(Checked a, Checked b) {
    Checked r(0);
    r.ok_ = !__builtin_add_overflow(a.value_, b.value_, &r.value_) && a.ok_ && b.ok_;
    return r;
  }
  friend constexpr Checked operator-(Checked a, Checked b) {
    Checked r(0);
    r.ok_ = !__builtin_sub_overflow(a.value_, b.value_, &r.value_) && a.ok_ && b.ok_;
    return r;
  }
  friend constexpr Checked operator*(Checked a, Checked b) {
    Checked r(0);
    r.ok_ = !__builtin_mul_overflow(a.value_, b.value_, &r.value_) && a.ok_ && b.ok_;
    return r;
  }

 private:
  int64_t value_;
  bool ok_ = true;
};

// bytes[offset, offset + length), or nothing when that does not lie inside.
template <class T>
constexpr std::optional<std::span<T>> SubSpan(std::span<T> bytes, uint64_t offset,
                                              uint64_t length) {
  if (length > bytes.size() || offset > bytes.size() - length) return std::nullopt;
  return bytes.subspan(static_cast<size_t>(offset), static_cast<size_t>(length));
}

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_CHECKED_H_
