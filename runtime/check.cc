#include "runtime/check.h"

#include <cstdio>
#include <cstdlib>

namespace pleat::runtime {

void CheckFailed(const char* file, int line, const char* condition, const char* message) {
  std::fprintf(stderr, "pleat: internal error at %s:%d: %s (%s)\n", file, line, message, condition);
  std::abort();
}

}  // namespace pleat::runtime
