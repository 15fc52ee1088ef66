// What a mistyped word was meant to be.
#ifndef PLEAT_TOOLS_SUGGEST_H_
#define PLEAT_TOOLS_SUGGEST_H_

#include <string>
#include <vector>

namespace pleat::tools {

// The known word that the fewest letters (added, left out, changed, or two swapped) are wrong in;
// empty where more than a third of them would be, or two when there are few.
std::string Nearest(const std::string& word, const std::vector<std::string>& known);

// "; did you mean 'X'?", or nothing where no known word is near.
std::string DidYouMean(const std::string& word, const std::vector<std::string>& known);

}  // namespace pleat::tools

#endif  // PLEAT_TOOLS_SUGGEST_H_
