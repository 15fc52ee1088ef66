#include "runtime/c_api.h"

#include <cstdio>

namespace pleat::runtime {
namespace {

// Plain memory of the thread: it can be written when there is none left to allocate.
struct LastError {
  char message[1024];
  pleat_error error;
};
thread_local LastError last_error;

pleat_code Store(pleat_code code, const char* rule, const char* message) {
  std::snprintf(last_error.message, sizeof(last_error.message), "%s", message);
  last_error.error = {code, rule, last_error.message};
  return code;
}

}  // namespace

pleat_code Report(const Status& status) {
  return Store(static_cast<pleat_code>(status.code()), status.rule(), status.message().c_str());
}

pleat_code ReportOutOfMemory() {
  return Store(PLEAT_OUT_OF_MEMORY, "OUT_OF_MEMORY", "out of memory");
}

pleat_code ReportException(const char* what) { return Store(PLEAT_INTERNAL, "EXCEPTION", what); }

Status CheckIndex(size_t index, size_t count, const char* what) {
  if (index < count) return Status::Ok();
  return InvalidArgument(
      std::string(what) + " " + std::to_string(index) + ": there are " + std::to_string(count),
      "INDEX");
}

}  // namespace pleat::runtime

extern "C" {

const char* pleat_version(void) { return PLEAT_VERSION; }

const pleat_error* pleat_last_error(void) {
  pleat_error& error = pleat::runtime::last_error.error;
  if (error.message == nullptr) error = {PLEAT_OK, "", ""};
  return &error;
}

}  // extern "C"
