// Inputs in every order in memory, and pixels.
#include <gtest/gtest.h>

#include "tests/api/support.h"

namespace pleat::tests {
namespace {

constexpr int64_t kBatch = 2, kHeight = 3, kWidth = 4;

// What the model sees at [n, c, y, x].
float Number(int64_t n, int64_t c, int64_t y, int64_t x) {
  return static_cast<float>(n * 100 + c * 40 + y * 7 + x);
}

std::vector<float> Expected() {
  std::vector<float> numbers;
  for (int64_t n = 0; n < kBatch; ++n) {
    for (int64_t c = 0; c < 3; ++c) {
      for (int64_t y = 0; y < kHeight; ++y) {
        for (int64_t x = 0; x < kWidth; ++x) numbers.push_back(Number(n, c, y, x));
      }
    }
  }
  return numbers;
}

class Input : public testing::Test {
 protected:
  void SetUp() override {
    const pleat_tensor offset = Dense(zeros_, offset_shape_);
    ASSERT_EQ(pleat_set_input(session_.get(), 1, &offset), PLEAT_OK);
  }

  // What a run reads from `tensor`.
  std::vector<float> Seen(const pleat_tensor& tensor) {
    EXPECT_EQ(pleat_set_input(session_.get(), 0, &tensor), PLEAT_OK) << pleat_last_error()->message;
    EXPECT_EQ(pleat_run(session_.get(), nullptr), PLEAT_OK) << pleat_last_error()->message;
    return Floats(session_.get(), 0);
  }

  ModelHandle model_ = Load(OpenModel());
  SessionHandle session_ = MakeSession(model_.get());
  std::vector<float> zeros_ = {0, 0, 0};
  std::vector<int64_t> offset_shape_ = {3, 1, 1};
  std::vector<int64_t> planes_ = {kBatch, 3, kHeight, kWidth};
  std::vector<int64_t> pixels_ = {kBatch, kHeight, kWidth, 3};
};

// A picture whose memory is [n][y][x][c] with `gap` more elements behind each row.
template <class T>
std::vector<T> Interleaved(int64_t gap) {
  std::vector<T> memory;
  for (int64_t n = 0; n < kBatch; ++n) {
    for (int64_t y = 0; y < kHeight; ++y) {
      for (int64_t x = 0; x < kWidth; ++x) {
        for (int64_t c = 0; c < 3; ++c) memory.push_back(static_cast<T>(Number(n, c, y, x)));
      }
      memory.insert(memory.end(), static_cast<size_t>(gap), T{99});
    }
  }
  memory.resize(memory.size() - static_cast<size_t>(gap));
  return memory;
}

template <class T>
pleat_tensor Over(const std::vector<T>& memory, const std::vector<int64_t>& shape,
                  pleat_element element) {
  auto tensor = Sized<pleat_tensor>();
  tensor.data = memory.data();
  tensor.bytes = memory.size() * sizeof(T);
  tensor.element = element;
  tensor.rank = shape.size();
  tensor.shape = shape.data();
  return tensor;
}

TEST_F(Input, DenseStridedAndChannelsLastAreTheSame) {
  const std::vector<float> planes = Expected();
  EXPECT_EQ(Seen(Over(planes, planes_, PLEAT_FLOAT32)), Expected());
  const std::vector<float> pixels = Interleaved<float>(0);
  pleat_tensor tensor = Over(pixels, pixels_, PLEAT_FLOAT32);
  tensor.layout = PLEAT_CHANNELS_LAST;
  EXPECT_EQ(Seen(tensor), Expected());

  const int64_t turned[] = {kHeight * kWidth * 3, 1, kWidth * 3, 3};
  tensor = Over(pixels, planes_, PLEAT_FLOAT32);
  tensor.strides = turned;
  EXPECT_EQ(Seen(tensor), Expected());
}

TEST_F(Input, RowsMayHaveGaps) {
  for (int64_t gap : {0, 1, 5}) {
    const std::vector<uint8_t> memory = Interleaved<uint8_t>(gap);
    const int64_t row = kWidth * 3 + gap;
    const int64_t strides[] = {kHeight * row, row, 3, 1};
    pleat_tensor tensor = Over(memory, pixels_, PLEAT_UINT8);
    tensor.layout = PLEAT_CHANNELS_LAST;
    tensor.strides = strides;
    EXPECT_EQ(Seen(tensor), Expected()) << gap;
    tensor.bytes -= 1;
    EXPECT_EQ(pleat_set_input(session_.get(), 0, &tensor), PLEAT_INVALID_ARGUMENT);
    EXPECT_STREQ(pleat_last_error()->rule, "BUFFER_TOO_SMALL");
  }
}

TEST_F(Input, MeanAndScaleApplyToTheirChannel) {
  static const float kMean[] = {10, 20, 30}, kScale[] = {0.5f, 2, -1};
  const std::vector<uint8_t> bytes = Interleaved<uint8_t>(0);
  const std::vector<float> planes = Expected();
  for (int which = 0; which < 4; ++which) {
    const float* const mean = (which & 1) != 0 ? kMean : nullptr;
    const float* const scale = (which & 2) != 0 ? kScale : nullptr;
    std::vector<float> expected = Expected();
    for (size_t i = 0; i < expected.size(); ++i) {
      const size_t c = i / (kHeight * kWidth) % 3;
      expected[i] = (expected[i] - (mean ? mean[c] : 0)) * (scale ? scale[c] : 1);
    }
    pleat_tensor tensor = Over(bytes, pixels_, PLEAT_UINT8);
    tensor.layout = PLEAT_CHANNELS_LAST;
    tensor.mean = mean;
    tensor.scale = scale;
    EXPECT_EQ(Seen(tensor), expected) << which;
    tensor = Over(planes, planes_, PLEAT_FLOAT32);
    tensor.mean = mean;
    tensor.scale = scale;
    EXPECT_EQ(Seen(tensor), expected) << which;
  }
}

TEST_F(Input, AStrideOfZeroRepeats) {
  const std::vector<float> one = {5};
  static const int64_t kZeros[] = {0, 0, 0, 0};
  pleat_tensor tensor = Over(one, planes_, PLEAT_FLOAT32);
  tensor.strides = kZeros;
  EXPECT_EQ(Seen(tensor), std::vector<float>(Expected().size(), 5));
}

TEST_F(Input, IsReadAgainByEveryRun) {
  std::vector<float> planes = Expected();
  std::vector<uint8_t> pixels = Interleaved<uint8_t>(0);
  EXPECT_EQ(Seen(Over(planes, planes_, PLEAT_FLOAT32)), Expected());
  planes.assign(planes.size(), 3);
  ASSERT_EQ(pleat_run(session_.get(), nullptr), PLEAT_OK);
  EXPECT_EQ(Floats(session_.get(), 0), planes);
  pleat_tensor tensor = Over(pixels, pixels_, PLEAT_UINT8);
  tensor.layout = PLEAT_CHANNELS_LAST;
  EXPECT_EQ(Seen(tensor), Expected());
  pixels.assign(pixels.size(), 3);
  ASSERT_EQ(pleat_run(session_.get(), nullptr), PLEAT_OK);
  EXPECT_EQ(Floats(session_.get(), 0), planes);
}

}  // namespace
}  // namespace pleat::tests
