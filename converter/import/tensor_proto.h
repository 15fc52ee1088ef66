// TensorProto -> Tensor: every element type Pleat holds, in any of the fields ONNX allows.
#ifndef PLEAT_CONVERTER_IMPORT_TENSOR_PROTO_H_
#define PLEAT_CONVERTER_IMPORT_TENSOR_PROTO_H_

#include <onnx/onnx_pb.h>

#include "converter/import/external_data.h"
#include "runtime/tensor.h"

namespace pleat::converter {

// The element type that ONNX's TensorProto.DataType number names. kUnsupported for strings, complex
// numbers and narrow types (see narrow_type.h); kInvalidModel for numbers ONNX does not define.
runtime::Result<runtime::ElementType> ElementTypeOfOnnx(int data_type);

// And back.
int OnnxTypeOf(runtime::ElementType element);

// The tensor as stored, one of a narrow type in what carries it. The data must be in the one field its type asks for and fit the shape
// exactly. `external` may be null, which refuses external data.
runtime::Result<runtime::Tensor> TensorOfProto(const onnx::TensorProto& proto,
                                               ExternalData* external);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_IMPORT_TENSOR_PROTO_H_
