// What a function that can fail returns: the caller's model or call is wrong, unsupported, or the
// system refused. Our own bugs are PLEAT_CHECK failures instead. Nothing in Pleat throws.
#ifndef PLEAT_RUNTIME_STATUS_H_
#define PLEAT_RUNTIME_STATUS_H_

#include <string>
#include <utility>
#include <variant>

#include "runtime/check.h"

namespace pleat::runtime {

// Values are the exit codes of the command line where one exists.
enum class StatusCode {
  kOk = 0,
  kInvalidArgument = 2,  // a wrong call: shape, name, option
  kInvalidModel = 3,
  kUnsupported = 4,  // valid, but not something Pleat does
  kIo = 5,
  kLimitExceeded = 6,
  kVerificationFailed = 7,
  kOutOfMemory = 8,
  kBusy = 9,  // another thread is using this session
  kCancelled = 10,
  kDeadlineExceeded = 11,
  kInternal = 70,
};

// The rule a failure without one of its own breaks, e.g. "INVALID_MODEL".
const char* RuleName(StatusCode code);

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message, const char* rule = nullptr)
      : code_(code), rule_(rule), message_(std::move(message)) {}
  static Status Ok() { return {}; }

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }
  // A stable name for what was broken, for programs: messages change, rules do not.
  const char* rule() const { return rule_ != nullptr ? rule_ : RuleName(code_); }

  // The same failure with "<where>: " in front, e.g. the node's name. Ok stays ok.
  Status In(const std::string& where) const {
    return ok() ? *this : Status(code_, where + ": " + message_, rule_);
  }

 private:
  StatusCode code_ = StatusCode::kOk;
  const char* rule_ = nullptr;  // static storage
  std::string message_;
};

inline Status InvalidArgument(std::string m, const char* rule = nullptr) {
  return {StatusCode::kInvalidArgument, std::move(m), rule};
}
inline Status InvalidModel(std::string m) { return {StatusCode::kInvalidModel, std::move(m)}; }
inline Status Unsupported(std::string m) { return {StatusCode::kUnsupported, std::move(m)}; }
inline Status IoError(std::string m) { return {StatusCode::kIo, std::move(m)}; }
inline Status LimitExceeded(std::string m) { return {StatusCode::kLimitExceeded, std::move(m)}; }

// A value, or the Status that says why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}
  Result(Status status) : state_(std::move(status)) {
    PLEAT_CHECK(!std::get<Status>(state_).ok(), "a Result holds a value or a failure");
  }

  bool ok() const { return std::holds_alternative<T>(state_); }
  Status status() const { return ok() ? Status() : std::get<Status>(state_); }
  // REQUIRES: ok().
  T& value() & { return std::get<T>(state_); }
  const T& value() const& { return std::get<T>(state_); }
  T&& value() && { return std::move(std::get<T>(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::variant<T, Status> state_;
};

}  // namespace pleat::runtime

#define PLEAT_CONCAT_INNER(a, b) a##b
#define PLEAT_CONCAT(a, b) PLEAT_CONCAT_INNER(a, b)

// Returns from the enclosing function when the Status expression is a failure.
#define PLEAT_RETURN_IF_ERROR(expression)                                         \
  do {                                                                            \
    if (::pleat::runtime::Status pleat_status = (expression); !pleat_status.ok()) \
      return pleat_status;                                                        \
  } while (false)

// PLEAT_ASSIGN_OR_RETURN(auto x, F()): x is F()'s value, or the enclosing function returns.
#define PLEAT_ASSIGN_OR_RETURN(target, expression) \
  PLEAT_ASSIGN_OR_RETURN_INNER(PLEAT_CONCAT(pleat_result_, __LINE__), target, expression)
#define PLEAT_ASSIGN_OR_RETURN_INNER(result, target, expression) \
  auto result = (expression);                                    \
  if (!result.ok()) return result.status();                      \
  target = std::move(result).value()

#endif  // PLEAT_RUNTIME_STATUS_H_
