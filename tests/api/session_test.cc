// Running through the C API: the caller's buffers, shapes that change, ends before the end.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cfenv>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "tests/api/support.h"

namespace pleat::tests {
namespace {

std::vector<float> Positive(std::vector<float> numbers) {
  for (float& number : numbers) number = number < 0 ? 0 : number;
  return numbers;
}

TEST(Model, TellsWhatItIs) {
  const ModelHandle model = Load(OpenModel());
  auto info = Sized<pleat_model_info>();
  ASSERT_EQ(pleat_model_get_info(model.get(), &info), PLEAT_OK);
  EXPECT_STREQ(info.name, "open");
  EXPECT_STREQ(info.producer, "test");
  EXPECT_EQ(info.inputs, 2u);
  EXPECT_EQ(info.outputs, 3u);
  EXPECT_EQ(info.nodes, 2u);
  EXPECT_EQ(info.batch_norms, 2u);
  EXPECT_EQ(info.batch_norms_folded, 1u);
  auto image = Sized<pleat_value_info>();
  ASSERT_EQ(pleat_model_get_input(model.get(), 0, &image), PLEAT_OK);
  EXPECT_STREQ(image.name, "image");
  EXPECT_EQ(image.element, PLEAT_FLOAT32);
  ASSERT_EQ(image.rank, 4u);
  EXPECT_EQ(image.shape[0], PLEAT_UNKNOWN);
  EXPECT_EQ(image.shape[1], 3);
  EXPECT_STREQ(image.symbols[0], "batch");
  EXPECT_STREQ(image.symbols[1], "");
  EXPECT_STREQ(image.symbols[2], "height");
  auto output = Sized<pleat_value_info>();
  ASSERT_EQ(pleat_model_get_output(model.get(), 1, &output), PLEAT_OK);
  EXPECT_STREQ(output.name, "positive");
  size_t index = 0;
  ASSERT_EQ(pleat_model_find_input(model.get(), "offset", &index), PLEAT_OK);
  EXPECT_EQ(index, 1u);
  ASSERT_EQ(pleat_model_find_output(model.get(), "image", &index), PLEAT_OK);
  EXPECT_EQ(index, 2u);
}

TEST(Model, LoadsTheSameFromPathDescriptorAndMemory) {
  const auto path = std::filesystem::temp_directory_path() /
                    ("pleat_api_test_" + std::to_string(getpid()) + ".pleat");
  std::ofstream(path, std::ios::binary) << OpenModel();
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  alignas(64) static char aligned[16384];
  ASSERT_LT(OpenModel().size(), sizeof(aligned));
  std::memcpy(aligned, OpenModel().data(), OpenModel().size());
  const OpenInputs inputs(3, 2);
  for (int way = 0; way < 4; ++way) {
    pleat_model* model = nullptr;
    if (way == 0) {
      ASSERT_EQ(pleat_model_load(path.c_str(), &model), PLEAT_OK);
    }
    if (way == 1) {
      ASSERT_EQ(pleat_model_load_fd(fd, &model), PLEAT_OK);
    }
    if (way == 2) {
      ASSERT_EQ(pleat_model_load_memory(aligned, OpenModel().size(), PLEAT_BORROW, &model),
                PLEAT_OK);
    }
    if (way == 3) {
      std::string shifted = "x" + OpenModel();
      ASSERT_EQ(pleat_model_load_memory(shifted.data() + 1, OpenModel().size(), PLEAT_COPY, &model),
                PLEAT_OK);
    }
    const ModelHandle handle(model);
    const SessionHandle session = MakeSession(model);
    ASSERT_EQ(inputs.Set(session.get()), PLEAT_OK);
    ASSERT_EQ(pleat_run(session.get(), nullptr), PLEAT_OK);
    EXPECT_EQ(Floats(session.get(), 0), inputs.ExpectedSum()) << way;
  }
  EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC) << "the descriptor stays the caller's";
  close(fd);
  std::filesystem::remove(path);
}

TEST(Session, RunsInItsOwnMemoryAndInTheCallers) {
  const ModelHandle model = Load(OpenModel());
  const SessionHandle session = MakeSession(model.get());
  const OpenInputs inputs(4, 5);
  ASSERT_EQ(inputs.Set(session.get()), PLEAT_OK);
  for (int callers = 0; callers < 8; ++callers) {
    std::vector<std::vector<float>> buffers(3, std::vector<float>(61, -77));
    for (size_t o = 0; o < 3; ++o) {
      float* const buffer = (callers >> o & 1) != 0 ? buffers[o].data() : nullptr;
      ASSERT_EQ(pleat_set_output(session.get(), o, buffer, 240), PLEAT_OK);
    }
    ASSERT_EQ(pleat_run(session.get(), nullptr), PLEAT_OK);
    EXPECT_EQ(Floats(session.get(), 0), inputs.ExpectedSum());
    EXPECT_EQ(Floats(session.get(), 1), Positive(inputs.ExpectedSum()));
    EXPECT_EQ(Floats(session.get(), 2), inputs.image);
    for (size_t o = 0; o < 3; ++o) {
      auto tensor = Sized<pleat_tensor>();
      ASSERT_EQ(pleat_get_output(session.get(), o, &tensor), PLEAT_OK);
      const bool mine = (callers >> o & 1) != 0;
      EXPECT_EQ(tensor.data == buffers[o].data(), mine);
      EXPECT_EQ(buffers[o][60], -77) << "nothing is written behind the output";
      ASSERT_EQ(tensor.rank, 4u);
      EXPECT_EQ(tensor.shape[3], 5);
    }
  }
}

TEST(Session, MayWriteOverItsInputs) {
  const ModelHandle model = Load(OpenModel());
  const SessionHandle session = MakeSession(model.get());
  OpenInputs inputs(4, 5);
  const std::vector<float> expected = Positive(inputs.ExpectedSum());
  ASSERT_EQ(inputs.Set(session.get()), PLEAT_OK);
  ASSERT_EQ(pleat_set_output(session.get(), 1, inputs.image.data(), 240), PLEAT_OK);
  EXPECT_EQ(pleat_run(session.get(), nullptr), PLEAT_INVALID_ARGUMENT)
      << "the image is an output as well";
  EXPECT_STREQ(pleat_last_error()->rule, "BUFFER_OVERLAP");

  const ModelHandle integers = Load(IntegerModel());
  const SessionHandle doubling = MakeSession(integers.get());
  int64_t numbers[] = {3, 4};
  const int64_t shape[] = {2};
  auto tensor = Sized<pleat_tensor>();
  tensor.data = numbers;
  tensor.bytes = sizeof(numbers);
  tensor.element = PLEAT_INT64;
  tensor.rank = 1;
  tensor.shape = shape;
  ASSERT_EQ(pleat_set_input(doubling.get(), 0, &tensor), PLEAT_OK);
  ASSERT_EQ(pleat_set_output(doubling.get(), 0, numbers, sizeof(numbers)), PLEAT_OK);
  for (int64_t factor : {2, 4, 8}) {
    ASSERT_EQ(pleat_run(doubling.get(), nullptr), PLEAT_OK);
    EXPECT_EQ(numbers[0], 3 * factor);
    EXPECT_EQ(numbers[1], 4 * factor);
  }
}

TEST(Session, ReadsUnalignedBuffersAndWritesThem) {
  const ModelHandle model = Load(OpenModel());
  const SessionHandle session = MakeSession(model.get());
  const OpenInputs inputs(4, 5);
  std::vector<char> in(60 * 4 + 64), out(60 * 4 + 64);
  for (size_t shift = 1; shift < 64; shift += 7) {
    std::memcpy(in.data() + shift, inputs.image.data(), 240);
    ASSERT_EQ(inputs.Set(session.get()), PLEAT_OK);
    pleat_tensor image = Dense(inputs.image, inputs.image_shape);
    image.data = in.data() + shift;
    ASSERT_EQ(pleat_set_input(session.get(), 0, &image), PLEAT_OK);
    ASSERT_EQ(pleat_set_output(session.get(), 0, out.data() + shift, 240), PLEAT_OK);
    ASSERT_EQ(pleat_run(session.get(), nullptr), PLEAT_OK);
    std::vector<float> sum(60);
    std::memcpy(sum.data(), out.data() + shift, 240);
    EXPECT_EQ(sum, inputs.ExpectedSum()) << shift;
  }
}

TEST(Session, ReplansForEachSizeAndTellsOutputShapesBefore) {
  const ModelHandle model = Load(OpenModel());
  auto options = Sized<pleat_options>();
  options.max_plans = 2;
  const SessionHandle session = MakeSession(model.get(), &options);
  for (int round = 0; round < 3; ++round) {
    for (int64_t size : {1, 7, 4, 0}) {
      const OpenInputs inputs(size, 2 * size);
      ASSERT_EQ(inputs.Set(session.get()), PLEAT_OK);
      ASSERT_EQ(pleat_prepare(session.get()), PLEAT_OK);
      auto tensor = Sized<pleat_tensor>();
      ASSERT_EQ(pleat_get_output(session.get(), 1, &tensor), PLEAT_OK);
      EXPECT_EQ(tensor.shape[2], size);
      EXPECT_EQ(tensor.bytes, static_cast<size_t>(24 * size * size));
      ASSERT_EQ(pleat_run(session.get(), nullptr), PLEAT_OK) << pleat_last_error()->message;
      EXPECT_EQ(Floats(session.get(), 1), Positive(inputs.ExpectedSum()));
      auto info = Sized<pleat_session_info>();
      ASSERT_EQ(pleat_session_get_info(session.get(), &info), PLEAT_OK);
      EXPECT_GE(info.arena_bytes, tensor.bytes);
      EXPECT_EQ(Floats(session.get(), 1), Positive(inputs.ExpectedSum()));
    }
  }
}

TEST(Session, TellsItsCosts) {
  const ModelHandle model = Load(ConvModel());
  auto options = Sized<pleat_options>();
  options.threads = 2;
  const SessionHandle session = MakeSession(model.get(), &options);
  auto info = Sized<pleat_session_info>();
  ASSERT_EQ(pleat_session_get_info(session.get(), &info), PLEAT_OK);
  EXPECT_EQ(info.threads, 2);
  EXPECT_EQ(info.multiply_adds, 6.0 * 6 * 32 * 2 * 9);
  auto model_info = Sized<pleat_model_info>();
  ASSERT_EQ(pleat_model_get_info(model.get(), &model_info), PLEAT_OK);
  EXPECT_EQ(model_info.weight_bytes, 32u * 2 * 9 * 4);
}

TEST(Session, TakesLittleMemoryWhenAskedTo) {
  const ModelHandle model = Load(WinogradModel());
  std::vector<float> picture(16 * 16 * 16);
  for (size_t i = 0; i < picture.size(); ++i) picture[i] = static_cast<float>(i % 13) / 6 - 1;
  const std::vector<int64_t> shape = {1, 16, 16, 16};
  const pleat_tensor x = Dense(picture, shape);
  std::vector<float> scores[2];
  pleat_session_info info[2] = {Sized<pleat_session_info>(), Sized<pleat_session_info>()};
  for (const pleat_memory memory : {PLEAT_MEMORY_FAST, PLEAT_MEMORY_LOW}) {
    auto options = Sized<pleat_options>();
    options.threads = 1;
    options.memory = memory;
    const SessionHandle session = MakeSession(model.get(), &options);
    ASSERT_EQ(pleat_set_input(session.get(), 0, &x), PLEAT_OK);
    ASSERT_EQ(pleat_run(session.get(), nullptr), PLEAT_OK);
    ASSERT_EQ(pleat_session_get_info(session.get(), &info[memory]), PLEAT_OK);
    scores[memory] = Floats(session.get(), 0);
  }
  EXPECT_LT(info[PLEAT_MEMORY_LOW].packed_bytes, info[PLEAT_MEMORY_FAST].packed_bytes / 2);
  ASSERT_EQ(scores[0].size(), scores[1].size());
  for (size_t i = 0; i < scores[0].size(); ++i) EXPECT_NEAR(scores[0][i], scores[1][i], 1e-4);
}

TEST(Session, FewRunsPrepareLess) {
  const ModelHandle model = Load(WinogradModel());
  size_t packed[4] = {};
  for (const size_t runs : {size_t{0}, size_t{1}, size_t{100000}}) {
    auto options = Sized<pleat_options>();
    options.threads = 1;
    options.expected_runs = runs;
    const SessionHandle session = MakeSession(model.get(), &options);
    auto info = Sized<pleat_session_info>();
    ASSERT_EQ(pleat_session_get_info(session.get(), &info), PLEAT_OK);
    packed[std::min<size_t>(runs, 3)] = info.packed_bytes;
  }
  EXPECT_LT(packed[1], packed[0] / 2);
  EXPECT_EQ(packed[3], packed[0]);
}

TEST(Session, BlamesTheCallForSizesThatDoNotFitTogether) {
  const ModelHandle model = Load(OpenPairModel());
  const SessionHandle session = MakeSession(model.get());
  const std::vector<float> numbers(6);
  const std::vector<int64_t> a_shape = {2, 3}, b_shape = {2, 2};
  const pleat_tensor a = Dense(numbers, a_shape), b = Dense(numbers, b_shape);
  ASSERT_EQ(pleat_set_input(session.get(), 0, &a), PLEAT_OK);
  ASSERT_EQ(pleat_set_input(session.get(), 1, &b), PLEAT_OK);
  for (const bool prepare : {true, false}) {
    EXPECT_EQ(prepare ? pleat_prepare(session.get()) : pleat_run(session.get(), nullptr),
              PLEAT_INVALID_ARGUMENT);
    EXPECT_STREQ(pleat_last_error()->rule, "SHAPE");
    EXPECT_NE(std::strstr(pleat_last_error()->message, "a [2,3], b [2,2]: add (Binary)"), nullptr)
        << pleat_last_error()->message;
  }
  ASSERT_EQ(pleat_set_input(session.get(), 1, &a), PLEAT_OK);
  EXPECT_EQ(pleat_run(session.get(), nullptr), PLEAT_OK);
}

TEST(Session, RefusesPlansAboveItsMemory) {
  const ModelHandle model = Load(OpenModel());
  auto options = Sized<pleat_options>();
  options.max_arena_bytes = 1000;
  const SessionHandle session = MakeSession(model.get(), &options);
  const OpenInputs large(20, 20), small(2, 2);
  ASSERT_EQ(large.Set(session.get()), PLEAT_OK);
  EXPECT_EQ(pleat_run(session.get(), nullptr), PLEAT_LIMIT_EXCEEDED);
  ASSERT_EQ(small.Set(session.get()), PLEAT_OK);
  EXPECT_EQ(pleat_run(session.get(), nullptr), PLEAT_OK);
}

TEST(Session, EndsAtItsDeadlineAndRunsAgain) {
  const ModelHandle model = Load(OpenModel());
  const SessionHandle session = MakeSession(model.get());
  const OpenInputs inputs(4, 4);
  ASSERT_EQ(inputs.Set(session.get()), PLEAT_OK);
  auto options = Sized<pleat_run_options>();
  options.timeout_ns = 1;
  EXPECT_EQ(pleat_run(session.get(), &options), PLEAT_DEADLINE_EXCEEDED);
  EXPECT_STREQ(pleat_last_error()->rule, "DEADLINE_EXCEEDED");
  options.timeout_ns = INT64_MAX;
  EXPECT_EQ(pleat_run(session.get(), &options), PLEAT_OK);
  EXPECT_EQ(Floats(session.get(), 0), inputs.ExpectedSum());
}

TEST(Session, OutlivesItsModelHandle) {
  ModelHandle model = Load(OpenModel());
  const SessionHandle session = MakeSession(model.get());
  model.reset();
  const OpenInputs inputs(4, 4);
  ASSERT_EQ(inputs.Set(session.get()), PLEAT_OK);
  ASSERT_EQ(pleat_run(session.get(), nullptr), PLEAT_OK);
  EXPECT_EQ(Floats(session.get(), 0), inputs.ExpectedSum());
}

TEST(Session, ComputesInTheDefaultFloatModeAndGivesTheCallersBack) {
  const ModelHandle model = Load(OpenModel());
  const SessionHandle session = MakeSession(model.get());
  OpenInputs inputs(1, 1);
  inputs.image = {0.1f, 1e-40f, 1};
  inputs.offset = {0.7f, 1e-40f, 1e-9f};
  const std::vector<float> expected = inputs.ExpectedSum();
  ASSERT_EQ(inputs.Set(session.get()), PLEAT_OK);
  for (int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
    std::fesetround(mode);
    const pleat_code code = pleat_run(session.get(), nullptr);
    const int after = std::fegetround();
    std::fesetround(FE_TONEAREST);
    ASSERT_EQ(code, PLEAT_OK);
    EXPECT_EQ(after, mode);
    EXPECT_EQ(Floats(session.get(), 0), expected);
  }
}

TEST(Session, AnOutputThatIsAnInputOutlivesTheInputsMemory) {
  const ModelHandle model = Load(OpenModel());
  const SessionHandle session = MakeSession(model.get());
  std::vector<float> expected;
  {
    const OpenInputs inputs(4, 5);
    ASSERT_EQ(inputs.Set(session.get()), PLEAT_OK);
    ASSERT_EQ(pleat_run(session.get(), nullptr), PLEAT_OK);
    expected = inputs.image;
  }
  const OpenInputs others(2, 2);
  ASSERT_EQ(others.Set(session.get()), PLEAT_OK);
  EXPECT_EQ(Floats(session.get(), 2), expected);
  ASSERT_EQ(pleat_run(session.get(), nullptr), PLEAT_OK);
  EXPECT_EQ(Floats(session.get(), 2), others.image);
}

}  // namespace
}  // namespace pleat::tests
