// Runs cases in a process of their own, so that one that crashes or hangs is a failure like others.
#ifndef PLEAT_TOOLS_CONFORMANCE_PROCESS_H_
#define PLEAT_TOOLS_CONFORMANCE_PROCESS_H_

#include <functional>
#include <string>
#include <vector>

#include "tools/conformance_case.h"

namespace pleat::tools {

// Calls `run` for 0 to count-1 in a child process, one after another, and `on_result` here with
// what it returned, or with a failure that says how it ended or that it took longer than
// `seconds`. REQUIRES: this process has no threads yet.
runtime::Status RunIsolated(size_t count, double seconds,
                            const std::function<CaseResult(size_t)>& run,
                            const std::function<void(size_t, CaseResult)>& on_result);

}  // namespace pleat::tools

#endif  // PLEAT_TOOLS_CONFORMANCE_PROCESS_H_
