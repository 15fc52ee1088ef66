// Failures in C++: an Error, and a Result that holds a value or one.
#ifndef PLEAT_ERROR_HPP_
#define PLEAT_ERROR_HPP_

#include <pleat/pleat.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <utility>
#include <variant>

namespace pleat {

// Why a call failed: see pleat_error.
class Error : public std::exception {
 public:
  Error(pleat_code code, std::string rule, std::string message)
      : code_(code), rule_(std::move(rule)), message_(std::move(message)) {}
  // The failure of the last C call on this thread.
  static Error Last() {
    const pleat_error& error = *pleat_last_error();
    return Error(error.code, error.rule, error.message);
  }

  pleat_code code() const { return code_; }
  const std::string& rule() const { return rule_; }
  const std::string& message() const { return message_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  pleat_code code_;
  std::string rule_;
  std::string message_;
};

struct Done {};

// A value, or the Error that says why there is none.
template <class T = Done>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  // REQUIRES: !ok().
  const Error& error() const { return *std::get_if<1>(&state_); }
  // Throws the error where there is no value.
  T& value() & { return Check(), *std::get_if<0>(&state_); }
  T&& value() && { return Check(), std::move(*std::get_if<0>(&state_)); }
  T& operator*() & { return value(); }
  T* operator->() { return &value(); }

 private:
  void Check() const {
    if (ok()) return;
#if defined(__cpp_exceptions)
    throw error();
#else
    std::fprintf(stderr, "pleat: %s\n", error().what());
    std::abort();
#endif
  }

  std::variant<T, Error> state_;
};

}  // namespace pleat

#endif  // PLEAT_ERROR_HPP_
