// What stands behind the handles of pleat.h, and how its functions report and exchange structs.
#ifndef PLEAT_RUNTIME_C_API_H_
#define PLEAT_RUNTIME_C_API_H_

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "pleat/pleat.h"
#include "runtime/session.h"

struct pleat_model {
  static constexpr uint64_t kTag = 0x6c65646f6d74706c;
  uint64_t tag = kTag;  // what a pointer to a live model begins with
  std::shared_ptr<const pleat::runtime::Model> model;
  // Of inputs, then outputs: the pointers that pleat_value_info hands out.
  std::vector<std::vector<const char*>> symbols;
};

namespace pleat::runtime {

// Remembers the failure as this thread's last error and returns its code.
pleat_code Report(const Status& status);
pleat_code ReportOutOfMemory();
pleat_code ReportException(const char* what);

// Runs the body of an API function: its Status becomes a code, and no exception leaves.
template <class Body>
pleat_code Guarded(Body&& body) {
  try {
    const Status status = body();
    return status.ok() ? PLEAT_OK : Report(status);
  } catch (const std::bad_alloc&) {
    return ReportOutOfMemory();
  } catch (const std::exception& exception) {
    return ReportException(exception.what());
  } catch (...) {
    return ReportException("an exception of unknown type");
  }
}

inline Status NullArgument(const char* name) {
  return InvalidArgument(std::string(name) + " is NULL", "NULL_ARGUMENT");
}

// Whether the handle is one that is alive, as far as can be seen.
template <class Handle>
Status CheckHandle(const Handle* handle, const char* name) {
  if (handle == nullptr) return NullArgument(name);
  if (handle->tag == Handle::kTag) return Status::Ok();
  return InvalidArgument(std::string(name) + " is not a live handle of its kind", "BAD_HANDLE");
}

Status CheckIndex(size_t index, size_t count, const char* what);

inline constexpr size_t kMaxStructSize = 4096;

// A caller's struct, of this version or another: fields it lacks are zero, and fields that we lack
// must be. A size that no struct has could end within a pointer.
template <class T>
Status ReadStruct(const T* from, const char* name, T* to) {
  *to = T{};
  if (from == nullptr) return NullArgument(name);
  const size_t size = from->struct_size;
  const auto* bytes = reinterpret_cast<const unsigned char*>(from);
  bool fits = size >= sizeof(size_t) && size <= kMaxStructSize && size % alignof(T) == 0;
  for (size_t i = sizeof(T); fits && i < size; ++i) fits = bytes[i] == 0;
  if (!fits) {
    return InvalidArgument(std::string(name) + "->struct_size is " + std::to_string(size) +
                               ", expected sizeof(*" + name + "), " + std::to_string(sizeof(T)),
                           "STRUCT_SIZE");
  }
  std::memcpy(to, from, std::min(size, sizeof(T)));
  to->struct_size = sizeof(T);
  return Status::Ok();
}

// Fills as much of a caller's struct as it has.
template <class T>
Status WriteStruct(const T& from, const char* name, T* to) {
  T current;
  PLEAT_RETURN_IF_ERROR(ReadStruct(to, name, &current));
  const size_t size = std::min(to->struct_size, sizeof(T));
  std::memcpy(reinterpret_cast<char*>(to) + sizeof(size_t),
              reinterpret_cast<const char*>(&from) + sizeof(size_t), size - sizeof(size_t));
  return Status::Ok();
}

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_C_API_H_
