#include "converter/reasons.h"

namespace pleat::converter {
namespace {

constexpr Reason kReasons[] = {
#define PLEAT_REASON(code, remedy) {#code, remedy},
#include "converter/reasons.inc"
#undef PLEAT_REASON
};

}  // namespace

std::span<const Reason> Reasons() { return kReasons; }

std::string_view RemedyFor(std::string_view code) {
  for (const Reason& reason : kReasons) {
    if (reason.code == code) return reason.remedy;
  }
  return "";
}

}  // namespace pleat::converter
