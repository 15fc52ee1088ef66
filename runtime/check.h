// PLEAT_CHECK: conditions only a bug in Pleat can break. Always compiled in; aborts with the place.
#ifndef PLEAT_RUNTIME_CHECK_H_
#define PLEAT_RUNTIME_CHECK_H_

namespace pleat::runtime {
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition,
                              const char* message);
}

#define PLEAT_CHECK(condition, message) \
  (static_cast<bool>(condition)         \
       ? static_cast<void>(0)           \
       : ::pleat::runtime::CheckFailed(__FILE__, __LINE__, #condition, message))

#endif  // PLEAT_RUNTIME_CHECK_H_
