// Small models for the API tests, and handles that destroy themselves.
#ifndef PLEAT_TESTS_API_SUPPORT_H_
#define PLEAT_TESTS_API_SUPPORT_H_

#include <memory>
#include <string>
#include <vector>

#include "pleat/pleat.h"

namespace pleat::tests {

// Bytes of a model file. Inputs: image float32[batch,3,height,width] (sizes but 3 are open), offset
// float32[3,1,1]. Outputs: sum = image + offset, positive = relu(sum), same = image.
const std::string& OpenModel();
// One input x float32[1,2,8,8] and a convolution, so that threads have something to split.
const std::string& ConvModel();
// One input x int64[2] and y = x + x.
const std::string& IntegerModel();
// Inputs a and b float32[rows,columns], open, and c = a + b.
const std::string& OpenPairModel();
// One input x float32[1,16,16,16], channels last, and two 3x3 convolutions of 16 channels.
const std::string& WinogradModel();

struct Destroy {
  void operator()(pleat_model* model) const { pleat_model_destroy(model); }
  void operator()(pleat_session* session) const { pleat_session_destroy(session); }
};
using ModelHandle = std::unique_ptr<pleat_model, Destroy>;
using SessionHandle = std::unique_ptr<pleat_session, Destroy>;

// REQUIRES: success; the test fails otherwise.
ModelHandle Load(const std::string& bytes);
SessionHandle MakeSession(const pleat_model* model, const pleat_options* options = nullptr);

// `T` with struct_size set and all else zero.
template <class T>
T Sized() {
  T value{};
  value.struct_size = sizeof(T);
  return value;
}

// A dense tensor over `numbers`, in the caller's memory.
pleat_tensor Dense(const std::vector<float>& numbers, const std::vector<int64_t>& shape);

// Copies of an output's numbers.
std::vector<float> Floats(pleat_session* session, size_t output);

// Sets both inputs of OpenModel: an image of 1,3,`height`,`width` counting up from -10 and an
// offset of 1, 2, 3. The returned numbers are the inputs' memory.
struct OpenInputs {
  OpenInputs(int64_t height, int64_t width);
  pleat_code Set(pleat_session* session) const;
  std::vector<float> ExpectedSum() const;
  std::vector<float> image, offset;
  std::vector<int64_t> image_shape, offset_shape;
};

}  // namespace pleat::tests

#endif  // PLEAT_TESTS_API_SUPPORT_H_
