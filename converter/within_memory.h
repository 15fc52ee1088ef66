// The bound on the tensors of a conversion.
#ifndef PLEAT_CONVERTER_WITHIN_MEMORY_H_
#define PLEAT_CONVERTER_WITHIN_MEMORY_H_

#include <string>
#include <utility>

#include "converter/limits.h"
#include "runtime/memory_account.h"
#include "runtime/status.h"

namespace pleat::converter {

// `work` with its tensors charged to one account; kLimitExceeded where that would be exceeded.
// Within another one of these the outer one's account holds.
template <class F>
auto WithinMemory(const Limits& limits, F&& work) -> decltype(work()) {
  if (runtime::MemoryAccount::Current() != nullptr) return std::forward<F>(work)();
  const bool stated = limits.memory_bytes > 0;
  runtime::MemoryAccount account(stated ? limits.memory_bytes : kBasicMemory,
                                 stated ? 0 : kMemoryPerByte);
  try {
    return std::forward<F>(work)();
  } catch (const runtime::OverMemoryLimit& over) {
    return runtime::LimitExceeded(
        "the tensors of the conversion would take " + std::to_string(over.bytes()) +
        " bytes, more than the limit of " + std::to_string(over.limit()) +
        "; --max-memory-bytes sets another");
  }
}

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_WITHIN_MEMORY_H_
