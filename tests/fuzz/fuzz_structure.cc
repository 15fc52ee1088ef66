// Well-formed ONNX with wrong contents: bytes that are a network get fields dropped, repeated, moved
// and set to edge values, chosen by the bytes themselves; the result is converted and run.
#include <onnx/onnx_pb.h>

#include <cmath>
#include <string>

#include "tests/fuzz/convert_model.h"
#include "tests/support/random.h"

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using pleat::tests::Random;

pleat::tests::FuzzCounts counts;

int64_t Edge(int64_t value, Random& random) {
  const int64_t edges[] = {0,         1,         -1,        2,         3,        value + 1,
                           value - 1, INT32_MAX, INT64_MAX, INT64_MIN, static_cast<int64_t>(static_cast<uint64_t>(value) * 2)};
  return edges[random.Below(std::size(edges))];
}

void SetNumber(Message& message, const FieldDescriptor* field, int at, Random& random) {
  const Reflection& fields = *message.GetReflection();
  const bool many = field->is_repeated();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT64: {
      const int64_t old = many ? fields.GetRepeatedInt64(message, field, at)
                               : fields.GetInt64(message, field);
      const int64_t value = Edge(old / 4, random);
      many ? fields.SetRepeatedInt64(&message, field, at, value)
           : fields.SetInt64(&message, field, value);
      return;
    }
    case FieldDescriptor::CPPTYPE_INT32: {
      const auto value = static_cast<int32_t>(random.Between(-1, 24));
      many ? fields.SetRepeatedInt32(&message, field, at, value)
           : fields.SetInt32(&message, field, value);
      return;
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      const auto value = static_cast<int>(random.Between(0, 14));
      if (!many) fields.SetEnumValue(&message, field, value);
      return;
    }
    case FieldDescriptor::CPPTYPE_FLOAT: {
      constexpr float kEdges[] = {0, -0.0f, 1, -1, 1e-38f, 3e38f, 1e-45f, INFINITY, NAN};
      const float value = kEdges[random.Below(std::size(kEdges))];
      many ? fields.SetRepeatedFloat(&message, field, at, value)
           : fields.SetFloat(&message, field, value);
      return;
    }
    default:
      return;
  }
}

// A string of the same field somewhere near takes its place: names meet other names.
void SetText(Message& message, const FieldDescriptor* field, int at, const std::string& other) {
  const Reflection& fields = *message.GetReflection();
  field->is_repeated() ? fields.SetRepeatedString(&message, field, at, other)
                       : fields.SetString(&message, field, other);
}

// Names and operators that occur in the message, one of them kept.
void PickText(const Message& message, Random& random, std::string& picked, int64_t& seen) {
  const Reflection& fields = *message.GetReflection();
  std::vector<const FieldDescriptor*> set;
  fields.ListFields(message, &set);
  for (const FieldDescriptor* field : set) {
    const int size = field->is_repeated() ? fields.FieldSize(message, field) : 1;
    for (int i = 0; i < size; ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        PickText(field->is_repeated() ? fields.GetRepeatedMessage(message, field, i)
                                      : fields.GetMessage(message, field),
                 random, picked, seen);
      } else if (field->type() == FieldDescriptor::TYPE_STRING && random.Below(++seen) == 0) {
        picked = field->is_repeated() ? fields.GetRepeatedString(message, field, i)
                                      : fields.GetString(message, field);
      }
    }
  }
}

void Change(Message& message, const Message& root, Random& random) {
  const Reflection& fields = *message.GetReflection();
  std::vector<const FieldDescriptor*> set;
  fields.ListFields(message, &set);
  if (set.empty()) return;
  const FieldDescriptor* field = set[static_cast<size_t>(random.Below(std::ssize(set)))];
  const int size = field->is_repeated() ? fields.FieldSize(message, field) : 1;
  const int at = static_cast<int>(random.Below(size));
  const bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  if (is_message && random.Chance(0.9)) {
    Change(field->is_repeated() ? *fields.MutableRepeatedMessage(&message, field, at)
                                : *fields.MutableMessage(&message, field),
           root, random);
    return;
  }
  const int64_t how = random.Below(field->is_repeated() ? 4 : 6);
  if (field->is_repeated() && how < 3) {
    const int other = static_cast<int>(random.Below(size));
    if (how == 0) {
      fields.SwapElements(&message, field, at, other);
    } else if (how == 1 || !is_message) {
      fields.SwapElements(&message, field, at, size - 1);
      fields.RemoveLast(&message, field);
    } else {
      fields.AddMessage(&message, field)->CopyFrom(fields.GetRepeatedMessage(message, field, other));
    }
  } else if (!field->is_repeated() && how == 0) {
    fields.ClearField(&message, field);
  } else if (field->type() == FieldDescriptor::TYPE_STRING) {
    std::string text;
    int64_t seen = 0;
    PickText(root, random, text, seen);
    SetText(message, field, at, text);
  } else if (field->type() == FieldDescriptor::TYPE_BYTES) {
    if (!field->is_repeated()) {
      std::string bytes = fields.GetString(message, field);
      bytes.resize(static_cast<size_t>(random.Below(std::ssize(bytes) + 2)));
      fields.SetString(&message, field, bytes);
    }
  } else {
    SetNumber(message, field, at, random);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  onnx::ModelProto network;
  if (!network.ParseFromArray(data, static_cast<int>(size)) || !network.has_graph()) return 0;
  ++counts.inputs;
  uint64_t hash = size;
  for (size_t i = 0; i < size; ++i) hash = (hash ^ data[i]) * 0x100000001b3u;
  Random random(hash);
  for (int64_t changes = random.Between(1, 3); changes > 0; --changes) {
    Change(*network.mutable_graph(), network, random);
  }
  const std::string bytes = network.SerializeAsString();
  pleat::tests::ConvertAndRun(std::as_bytes(std::span(bytes)), counts);
  return 0;
}
