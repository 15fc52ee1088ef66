// Model-local functions: a call becomes the function's nodes.
#ifndef PLEAT_CONVERTER_IMPORT_FUNCTION_BODY_H_
#define PLEAT_CONVERTER_IMPORT_FUNCTION_BODY_H_

#include <onnx/onnx_pb.h>

#include <string>

namespace pleat::converter {

// The key of a function or of a call to one.
std::string FunctionKey(const std::string& domain, const std::string& name);

// The function's nodes as a graph of its own, with every reference to an attribute of the function
// replaced by what the call (or else the function's default) states, and left out when neither
// does. Node names get the call's in front: "call/node".
onnx::GraphProto BodyOf(const onnx::FunctionProto& function, const onnx::NodeProto& call);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_IMPORT_FUNCTION_BODY_H_
