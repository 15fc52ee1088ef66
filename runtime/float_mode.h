// The floating-point mode that numbers are computed in.
#ifndef PLEAT_RUNTIME_FLOAT_MODE_H_
#define PLEAT_RUNTIME_FLOAT_MODE_H_

#include <cfenv>

namespace pleat::runtime {

// On this thread, for as long as it lives: to nearest, no traps, denormals kept. The caller's mode
// comes back at the end.
class DefaultFloatMode {
 public:
  DefaultFloatMode() {
    std::fegetenv(&callers_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~DefaultFloatMode() { std::fesetenv(&callers_); }
  DefaultFloatMode(const DefaultFloatMode&) = delete;
  DefaultFloatMode& operator=(const DefaultFloatMode&) = delete;

 private:
  std::fenv_t callers_;
};

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_FLOAT_MODE_H_
