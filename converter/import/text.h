// Names from a model as they appear in messages.
#ifndef PLEAT_CONVERTER_IMPORT_TEXT_H_
#define PLEAT_CONVERTER_IMPORT_TEXT_H_

#include <string>
#include <string_view>

namespace pleat::converter {

// The name with control and non-ASCII bytes escaped, cut after 128 characters.
std::string Printable(std::string_view name);
// The same between single quotes.
std::string Quoted(std::string_view name);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_IMPORT_TEXT_H_
