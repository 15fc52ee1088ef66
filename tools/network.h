// Networks from either kind of file.
#ifndef PLEAT_TOOLS_NETWORK_H_
#define PLEAT_TOOLS_NETWORK_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "converter/convert.h"
#include "runtime/session.h"

namespace pleat::tools {

// True for a .pleat file, by its first bytes or, where it is too short to have them, its name.
runtime::Result<bool> IsModelFile(const std::string& path);

// A .pleat file as it is, or an ONNX file converted in memory, its input shapes replaced by those
// given.
runtime::Result<std::shared_ptr<const runtime::Model>> LoadNetwork(
    const std::string& path, const std::map<std::string, runtime::Shape>& input_shapes,
    converter::TrainingMode training = converter::TrainingMode::kBatch);

// Shapes the session can run: as ChooseShapes chooses them, with the first size for open ones
// besides the batch that the network accepts, in what is left to the run too.
runtime::Result<std::vector<runtime::Shape>> ChooseRunnableShapes(
    runtime::Session& session, const std::map<std::string, runtime::Shape>& given,
    std::vector<std::string>* assumed);

// True when both paths name one existing file, or are the same text.
bool SameFile(const std::string& a, const std::string& b);

}  // namespace pleat::tools

#endif  // PLEAT_TOOLS_NETWORK_H_
