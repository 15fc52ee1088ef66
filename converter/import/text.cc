#include "converter/import/text.h"

namespace pleat::converter {

std::string Printable(std::string_view name) {
  constexpr size_t kLongest = 128;
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char c : name) {
    if (text.size() >= kLongest) return text + "...";
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      text += c;
    } else {
      text += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return text;
}

std::string Quoted(std::string_view name) { return "'" + Printable(name) + "'"; }

}  // namespace pleat::converter
