// Pieces of the pages that the command writes: one file each, nothing loaded from elsewhere.
#ifndef PLEAT_TOOLS_HTML_H_
#define PLEAT_TOOLS_HTML_H_

#include <string>

namespace pleat::tools {

// Printable(text) with what HTML reads as markup escaped.
std::string Escape(const std::string& text);

// At most `most` characters: the end of a long name says more than its beginning.
std::string Shortened(const std::string& name, size_t most);

}  // namespace pleat::tools

#endif  // PLEAT_TOOLS_HTML_H_
