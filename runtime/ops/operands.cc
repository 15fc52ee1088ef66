#include "runtime/ops/operands.h"

#include <algorithm>
#include <string>

namespace pleat::runtime {

Status CheckOperands(const Node& node, size_t required, size_t optional, size_t outputs) {
  const size_t count = node.inputs.size();
  if (count < required || count > required + optional) {
    const std::string most = optional == 0 ? "" : " to " + std::to_string(required + optional);
    return InvalidModel("expected " + std::to_string(required) + most + " inputs, got " +
                        std::to_string(count));
  }
  for (size_t i = 0; i < required; ++i) {
    if (node.input(i) == kNoValue) {
      return InvalidModel("required input " + std::to_string(i) + " is left out");
    }
  }
  if (node.outputs.size() > outputs) {
    return InvalidModel("expected at most " + std::to_string(outputs) + " outputs, got " +
                        std::to_string(node.outputs.size()));
  }
  return Status::Ok();
}

Status CheckFloat(const Type& type, const char* name) {
  if (type.element == ElementType::kFloat32 || type.element == ElementType::kFloat64) {
    return Status::Ok();
  }
  return Unsupported(std::string("expected ") + name + " to be float32 or float64, got " +
                     ElementName(type.element));
}

Status CheckSameElements(const Type& a, const char* a_name, const Type& b, const char* b_name) {
  if (a.element == b.element) return Status::Ok();
  return InvalidModel(std::string("expected ") + a_name + " and " + b_name + " of one type, got " +
                      ElementName(a.element) + " and " + ElementName(b.element));
}

Status BroadcastInto(Type& a, const Type& b) {
  if (!a.ranked || !b.ranked) {
    a.ranked = false;
    a.shape.clear();
    return Status::Ok();
  }
  Shape shape(std::max(a.shape.size(), b.shape.size()), 1);
  for (size_t back = 1; back <= shape.size(); ++back) {
    const int64_t x = back <= a.shape.size() ? a.shape[a.shape.size() - back] : 1;
    const int64_t y = back <= b.shape.size() ? b.shape[b.shape.size() - back] : 1;
    int64_t& size = shape[shape.size() - back];
    if (x == y || y == 1) {
      size = x;
    } else if (x == 1 || x == kUnknownDim) {
      size = y;
    } else if (y == kUnknownDim) {
      size = x;
    } else {
      return InvalidModel("shapes " + ShapeText(a.shape) + " and " + ShapeText(b.shape) +
                          " do not broadcast");
    }
  }
  a.shape = std::move(shape);
  return Status::Ok();
}

Status CheckVector(const Type& type, const char* name, int64_t length) {
  if (!type.ranked) return Status::Ok();
  const bool fits = type.rank() == 1 && (type.shape[0] == kUnknownDim || length == kUnknownDim ||
                                         type.shape[0] == length);
  if (fits) return Status::Ok();
  return InvalidModel(std::string("expected ") + name + " of shape " + ShapeText({length}) +
                      ", got " + ShapeText(type.shape));
}

AroundAxes Around(const Shape& shape, int axis, int axis_end) {
  AroundAxes sizes;
  for (int i = 0; i < static_cast<int>(shape.size()); ++i) {
    int64_t& size = i < axis ? sizes.outer : i < axis_end ? sizes.along : sizes.inner;
    size *= shape[static_cast<size_t>(i)];
  }
  return sizes;
}

}  // namespace pleat::runtime
