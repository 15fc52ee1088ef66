#include "converter/import/refusals.h"

#include <string_view>
#include <vector>

#include "converter/operators.h"

namespace pleat::converter {
namespace {

struct Refusal {
  std::string_view domain, op;
  const char* reason;
};

constexpr Refusal kRefusals[] = {
#define PLEAT_REFUSAL(domain, op, reason) {domain, op, reason},
#include "converter/import/refusals.inc"
#undef PLEAT_REFUSAL
};

}  // namespace

bool IsListedRefusal(const runtime::Status& status) {
  const std::string_view rule = status.rule();
  return rule == kRefusedOperator || rule == kRefusedType;
}

std::vector<RefusedOperator> RefusedOperators() {
  std::vector<RefusedOperator> list;
  for (const Refusal& refusal : kRefusals) {
    list.push_back({std::string(refusal.domain), std::string(refusal.op), refusal.reason});
  }
  return list;
}

runtime::Status RefuseOperator(const std::string& domain, const std::string& op) {
  const std::string_view named = domain.empty() ? std::string_view("ai.onnx") : domain;
  for (const Refusal& refusal : kRefusals) {
    if (refusal.domain != named || (refusal.op != "*" && refusal.op != op)) continue;
    return {runtime::StatusCode::kUnsupported, std::string("it ") + refusal.reason,
            kRefusedOperator};
  }
  if (named == "ai.onnx") {
    return runtime::Unsupported(
        "no such operator of ONNX is known; export with others, which `pleat operators` lists, or "
        "end the network before it");
  }
  return runtime::Unsupported(
      "operators of this domain are not supported; export with the operators of ai.onnx");
}

}  // namespace pleat::converter
