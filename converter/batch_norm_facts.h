// What a source says about its batch norms that folding does not carry on.
#ifndef PLEAT_CONVERTER_BATCH_NORM_FACTS_H_
#define PLEAT_CONVERTER_BATCH_NORM_FACTS_H_

#include <map>
#include <string>

#include "runtime/status.h"

namespace pleat::converter {

// The smallest variance of each BatchNormalization of the main graph whose variances are known
// before a run, by the name under which Graph::batch_norms lists it.
runtime::Result<std::map<std::string, double>> SmallestVariances(const std::string& path);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_BATCH_NORM_FACTS_H_
