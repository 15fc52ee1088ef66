// Why a batch norm was kept, in words for its owner.
#ifndef PLEAT_CONVERTER_REASONS_H_
#define PLEAT_CONVERTER_REASONS_H_

#include <span>
#include <string_view>

namespace pleat::converter {

struct Reason {
  std::string_view code;
  std::string_view remedy;  // what would make it foldable, without a full stop
};

// All of them.
std::span<const Reason> Reasons();
// The remedy for a code, empty for one that is not listed.
std::string_view RemedyFor(std::string_view code);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_REASONS_H_
