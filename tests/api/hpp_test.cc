// pleat.hpp: owners, views, errors.
#include <pleat/pleat.hpp>

#include <gtest/gtest.h>

#include <array>
#include <span>
#include <thread>

#include "tests/api/support.h"

namespace pleat {
namespace {

Model Memory(const std::string& bytes) {
  return Model::FromMemory(bytes.data(), bytes.size(), PLEAT_COPY);
}

TEST(Hpp, RunsInThreeStatements) {
  const Model model = Memory(tests::ConvModel());
  const std::vector<float> x(2 * 8 * 8, 1);
  const std::vector<float> y = model.Run(std::span<const float>(x));
  EXPECT_EQ(y.size(), 32u * 6 * 6);
  Session session(model, {.threads = 1});
  const Tensor view = session.Run(x);
  EXPECT_EQ(std::vector<float>(view.data<float>().begin(), view.data<float>().end()), y);
  EXPECT_EQ(view.shape().size(), 4u);
  EXPECT_EQ(view.shape()[1], 32);
}

TEST(Hpp, ModelRunServesManyThreads) {
  const Model model = Memory(tests::ConvModel());
  std::vector<float> x(2 * 8 * 8);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  const std::vector<float> expected = model.Run(x);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int run = 0; run < 50; ++run) wrong += model.Run(x) != expected;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Hpp, ThrowsTypedErrorsAndReturnsThem) {
  try {
    Model::Load("/no/such.pleat");
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), PLEAT_IO);
    EXPECT_EQ(error.rule(), "IO");
    EXPECT_NE(error.message().find("/no/such.pleat"), std::string::npos);
  }
  const Result<Model> model = Model::TryLoad("/no/such.pleat");
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code(), PLEAT_IO);
}

TEST(Hpp, TellsAWrongNumberOfNumbers) {
  const Model model = Memory(tests::ConvModel());
  const std::vector<float> few(127), none;
  const std::vector<double> doubles(128);
  EXPECT_EQ(model.TryRun(few).error().message(), "input x: expected 128 numbers, got 127");
  EXPECT_EQ(model.TryRun(none).error().rule(), "SHAPE");
  EXPECT_EQ(model.TryRun(doubles).error().rule(), "ELEMENT_TYPE");
  EXPECT_EQ(Memory(tests::OpenModel()).TryRun(few).error().rule(), "INPUT_COUNT");
  const Model integers = Memory(tests::IntegerModel());
  EXPECT_EQ(integers.TryRun(std::array<int64_t, 2>{1, 2}).error().rule(), "ELEMENT_TYPE");
}

TEST(Hpp, SeveralInputsAndOutputsByNameAndIndex) {
  const Model model = Memory(tests::OpenModel());
  ASSERT_EQ(model.Inputs().size(), 2u);
  EXPECT_EQ(model.Inputs()[0].symbols[2], "height");
  EXPECT_EQ(model.Outputs()[1].name, "positive");
  Session session(model, {.threads = 1});
  std::vector<uint8_t> pixels(2 * 5 * 3, 9);
  const float mean[] = {1, 2, 3}, scale[] = {1, 10, 100};
  const std::vector<float> offset = {0, 0, 1};
  std::vector<float> positive(30);
  session.Set("image", Tensor::Picture(pixels.data(), 5, 2, 3).Normalized(mean, scale));
  session.Set(1, offset);
  session.SetOutput(1, positive.data(), positive.size());
  session.Prepare();
  EXPECT_EQ(session.Output("sum").shape()[3], 5);
  session.Run();
  EXPECT_EQ(session.Output("sum")[0], 8);
  EXPECT_EQ(session.Output(0)[10], 70);
  EXPECT_EQ(positive[20], 601);
  EXPECT_EQ(session.TryOutput("absent").error().rule(), "UNKNOWN_NAME");
  EXPECT_EQ(session.TrySet("absent", offset).error().rule(), "UNKNOWN_NAME");
  EXPECT_EQ(session.TrySet(0, offset).error().rule(), "SHAPE") << "three sizes are open";
  EXPECT_EQ(session.TryRun(1).error().code(), PLEAT_DEADLINE_EXCEEDED);
  EXPECT_GT(session.Info().arena_bytes, 0u);
}

TEST(Hpp, OwnersMoveAndSessionsKeepTheirModel) {
  static_assert(!std::is_copy_constructible_v<Model> && !std::is_copy_constructible_v<Session>);
  Session session = [] {
    Model model = Memory(tests::ConvModel());
    const Model moved = std::move(model);
    return Session(moved, {.threads = 1});
  }();
  EXPECT_EQ(session.Run(std::vector<float>(128, 0.0f))[0], 0);
}

}  // namespace
}  // namespace pleat
