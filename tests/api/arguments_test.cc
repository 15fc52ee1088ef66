// Every function of pleat.h, with every argument null or wrong in turn.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "runtime/model_file.h"
#include "tests/api/support.h"

namespace pleat::tests {
namespace {

void ExpectRule(pleat_code code, const char* rule, const char* in_message = "") {
  EXPECT_NE(code, PLEAT_OK);
  EXPECT_EQ(pleat_last_error()->code, code);
  EXPECT_STREQ(pleat_last_error()->rule, rule) << pleat_last_error()->message;
  EXPECT_NE(std::strstr(pleat_last_error()->message, in_message), nullptr)
      << pleat_last_error()->message;
}

class Arguments : public testing::Test {
 protected:
  ModelHandle model_ = Load(OpenModel());
  SessionHandle session_ = MakeSession(model_.get());
  OpenInputs inputs_{2, 2};
};

TEST_F(Arguments, LoadRefusesNullAndWhatIsNoModel) {
  pleat_model* model = nullptr;
  const std::string& bytes = OpenModel();
  ExpectRule(pleat_model_load(nullptr, &model), "NULL_ARGUMENT", "path");
  ExpectRule(pleat_model_load("x.pleat", nullptr), "NULL_ARGUMENT", "model");
  ExpectRule(pleat_model_load("/no/such/file.pleat", &model), "IO", "No such file");
  ExpectRule(pleat_model_load("/", &model), "IO");
  ExpectRule(pleat_model_load("", &model), "IO");
  ExpectRule(pleat_model_load_memory(nullptr, 5, PLEAT_COPY, &model), "NULL_ARGUMENT", "bytes");
  ExpectRule(pleat_model_load_memory(bytes.data(), bytes.size(), PLEAT_COPY, nullptr),
             "NULL_ARGUMENT", "model");
  ExpectRule(
      pleat_model_load_memory(bytes.data(), bytes.size(), static_cast<pleat_ownership>(7), &model),
      "INVALID_ARGUMENT", "ownership");
  for (pleat_ownership ownership : {PLEAT_COPY, PLEAT_BORROW}) {
    EXPECT_EQ(pleat_model_load_memory(bytes.data(), 0, ownership, &model), PLEAT_INVALID_MODEL);
    EXPECT_EQ(pleat_model_load_memory(bytes.data(), bytes.size() - 1, ownership, &model),
              PLEAT_INVALID_MODEL);
    EXPECT_EQ(pleat_model_load_memory(bytes.data(), SIZE_MAX / 2, ownership, &model) == PLEAT_OK,
              false);
  }
  ExpectRule(pleat_model_load_fd(-1, &model), "IO", "Bad file descriptor");
  ExpectRule(pleat_model_load_fd(-1, nullptr), "NULL_ARGUMENT", "model");
  EXPECT_EQ(model, nullptr);
}

TEST_F(Arguments, DestroyTakesNull) {
  pleat_model_destroy(nullptr);
  pleat_session_destroy(nullptr);
}

TEST_F(Arguments, ModelFunctionsRefuseNullHandlesStructsAndIndices) {
  const pleat_model* model = model_.get();
  auto info = Sized<pleat_model_info>();
  auto value = Sized<pleat_value_info>();
  size_t index = 99;
  ExpectRule(pleat_model_get_info(nullptr, &info), "NULL_ARGUMENT", "model");
  ExpectRule(pleat_model_get_info(model, nullptr), "NULL_ARGUMENT", "info");
  for (const auto get : {pleat_model_get_input, pleat_model_get_output}) {
    ExpectRule(get(nullptr, 0, &value), "NULL_ARGUMENT", "model");
    ExpectRule(get(model, 0, nullptr), "NULL_ARGUMENT", "info");
    ExpectRule(get(model, 3, &value), "INDEX", "put 3");
    ExpectRule(get(model, SIZE_MAX, &value), "INDEX");
  }
  for (const auto find : {pleat_model_find_input, pleat_model_find_output}) {
    ExpectRule(find(nullptr, "sum", &index), "NULL_ARGUMENT", "model");
    ExpectRule(find(model, nullptr, &index), "NULL_ARGUMENT", "name");
    ExpectRule(find(model, "sum", nullptr), "NULL_ARGUMENT", "index");
    ExpectRule(find(model, "absent", &index), "UNKNOWN_NAME", "absent");
  }
  ExpectRule(pleat_model_find_input(model, "im", &index), "UNKNOWN_NAME", "image, offset");
  EXPECT_EQ(index, 99u);
}

TEST_F(Arguments, HandlesOfTheWrongKindAreTold) {
  auto* const wrong_session = reinterpret_cast<pleat_session*>(model_.get());
  auto* const wrong_model = reinterpret_cast<pleat_model*>(session_.get());
  pleat_session* session = nullptr;
  auto info = Sized<pleat_model_info>();
  ExpectRule(pleat_run(wrong_session, nullptr), "BAD_HANDLE", "session");
  ExpectRule(pleat_cancel(wrong_session), "BAD_HANDLE");
  ExpectRule(pleat_model_get_info(wrong_model, &info), "BAD_HANDLE", "model");
  ExpectRule(pleat_session_create(wrong_model, nullptr, &session), "BAD_HANDLE");
  pleat_model_destroy(wrong_model);
  pleat_session_destroy(wrong_session);
  EXPECT_EQ(pleat_model_get_info(model_.get(), &info), PLEAT_OK);
  EXPECT_EQ(inputs_.Set(session_.get()), PLEAT_OK);
}

TEST_F(Arguments, EveryFunctionThatTakesAHandleKnowsAWrongOne) {
  auto* const session = reinterpret_cast<pleat_session*>(model_.get());
  auto* const model = reinterpret_cast<pleat_model*>(session_.get());
  auto model_info = Sized<pleat_model_info>();
  auto value_info = Sized<pleat_value_info>();
  auto session_info = Sized<pleat_session_info>();
  auto tensor = Dense(inputs_.image, inputs_.image_shape);
  pleat_session* created = nullptr;
  size_t index = 0;
  for (const pleat_code code :
       {pleat_model_get_info(model, &model_info), pleat_model_get_input(model, 0, &value_info),
        pleat_model_get_output(model, 0, &value_info), pleat_model_find_input(model, "x", &index),
        pleat_model_find_output(model, "x", &index), pleat_session_create(model, nullptr, &created),
        pleat_set_input(session, 0, &tensor), pleat_set_output(session, 0, nullptr, 0),
        pleat_get_output(session, 0, &tensor), pleat_prepare(session), pleat_run(session, nullptr),
        pleat_session_get_info(session, &session_info), pleat_cancel(session)}) {
    ExpectRule(code, "BAD_HANDLE");
  }
}

TEST_F(Arguments, OutputsWhoseSizeDependsOnTheDataAreKnownAfterARun) {
  using namespace runtime;
  Graph graph;
  graph.inputs = {graph.AddValue("x", {ElementType::kInt64, true, {1, 2}})};
  graph.outputs = {graph.AddValue("y")};
  graph.nodes.push_back(MakeNode("places", fb::NonZeroT(), graph.inputs, graph.outputs));
  const ModelHandle model = Load(SerializeGraph(graph));
  const SessionHandle session = MakeSession(model.get());
  const int64_t numbers[] = {0, 7}, shape[] = {1, 2};
  auto x = Sized<pleat_tensor>(), y = Sized<pleat_tensor>();
  x.data = numbers, x.bytes = sizeof(numbers), x.shape = shape, x.rank = 2, x.element = PLEAT_INT64;
  const float mean[] = {1, 2};
  x.mean = mean;
  ExpectRule(pleat_set_input(session.get(), 0, &x), "MEAN_SCALE", "need a float32 input");
  x.mean = nullptr;
  ASSERT_EQ(pleat_set_input(session.get(), 0, &x), PLEAT_OK);
  ASSERT_EQ(pleat_prepare(session.get()), PLEAT_OK);
  ExpectRule(pleat_get_output(session.get(), 0, &y), "NOT_RUN", "depends on the data");
  ASSERT_EQ(pleat_run(session.get(), nullptr), PLEAT_OK);
  ASSERT_EQ(pleat_get_output(session.get(), 0, &y), PLEAT_OK);
  EXPECT_EQ(y.bytes, 16u);
}

TEST_F(Arguments, EveryStructSaysItsSize) {
  ASSERT_EQ(inputs_.Set(session_.get()), PLEAT_OK);
  ASSERT_EQ(pleat_run(session_.get(), nullptr), PLEAT_OK);
  const auto refused = [](auto info, auto&& get) {
    for (const size_t size : {size_t{0}, size_t{1}, sizeof(info) - 4, SIZE_MAX}) {
      info.struct_size = size;
      ExpectRule(get(&info), "STRUCT_SIZE");
    }
  };
  const pleat_model* model = model_.get();
  pleat_session* session = session_.get();
  refused(pleat_model_info{}, [&](auto* info) { return pleat_model_get_info(model, info); });
  refused(pleat_value_info{}, [&](auto* info) { return pleat_model_get_input(model, 0, info); });
  refused(pleat_value_info{}, [&](auto* info) { return pleat_model_get_output(model, 0, info); });
  refused(pleat_session_info{}, [&](auto* info) { return pleat_session_get_info(session, info); });
  refused(pleat_tensor{}, [&](auto* tensor) { return pleat_get_output(session, 0, tensor); });
  refused(pleat_run_options{}, [&](auto* options) { return pleat_run(session, options); });
}

TEST_F(Arguments, SessionCreateRefusesEachWrongOption) {
  pleat_session* session = nullptr;
  ExpectRule(pleat_session_create(nullptr, nullptr, &session), "NULL_ARGUMENT", "model");
  ExpectRule(pleat_session_create(model_.get(), nullptr, nullptr), "NULL_ARGUMENT", "session");
  const auto refused = [&](auto&& change, const char* rule) {
    auto options = Sized<pleat_options>();
    options.threads = 1;
    change(options);
    ExpectRule(pleat_session_create(model_.get(), &options, &session), rule);
  };
  refused([](pleat_options& o) { o.threads = -1; }, "THREADS");
  refused([](pleat_options& o) { o.threads = 1025; }, "THREADS");
  refused([](pleat_options& o) { o.threads = INT32_MAX; }, "THREADS");
  refused([](pleat_options& o) { o.memory = static_cast<pleat_memory>(9); }, "INVALID_ARGUMENT");
  refused(
      [](pleat_options& o) { o.allocate = [](void*, size_t, size_t) -> void* { return nullptr; }; },
      "ALLOCATOR");
  refused([](pleat_options& o) { o.deallocate = [](void*, void*, size_t) {}; }, "ALLOCATOR");
  refused([](pleat_options& o) { o.struct_size = 0; }, "STRUCT_SIZE");
  refused([](pleat_options& o) { o.struct_size = SIZE_MAX; }, "STRUCT_SIZE");
  EXPECT_EQ(session, nullptr);
}

TEST_F(Arguments, StructsOfOlderAndNewerVersionsAreTaken) {
  struct Newer {
    pleat_options options;
    int64_t added;
  } newer{};
  newer.options.struct_size = sizeof(Newer);
  pleat_session* session = nullptr;
  ASSERT_EQ(pleat_session_create(model_.get(), &newer.options, &session), PLEAT_OK);
  pleat_session_destroy(session);
  newer.added = 1;
  ExpectRule(pleat_session_create(model_.get(), &newer.options, &session), "STRUCT_SIZE");

  pleat_options older{};
  older.struct_size = offsetof(pleat_options, exact);
  older.threads = 1;
  older.max_plans = SIZE_MAX;
  ASSERT_EQ(pleat_session_create(model_.get(), &older, &session), PLEAT_OK);
  pleat_session_destroy(session);

  pleat_model_info info{};
  info.struct_size = offsetof(pleat_model_info, outputs);
  info.outputs = 77;
  ASSERT_EQ(pleat_model_get_info(model_.get(), &info), PLEAT_OK);
  EXPECT_EQ(info.inputs, 2u);
  EXPECT_EQ(info.outputs, 77u);
}

TEST_F(Arguments, SetInputRefusesEachWrongField) {
  pleat_session* session = session_.get();
  const pleat_tensor good = Dense(inputs_.image, inputs_.image_shape);
  ExpectRule(pleat_set_input(nullptr, 0, &good), "NULL_ARGUMENT", "session");
  ExpectRule(pleat_set_input(session, 2, &good), "INDEX", "input 2");
  ExpectRule(pleat_set_input(session, 0, nullptr), "NULL_ARGUMENT", "tensor");
  const auto refused = [&](auto&& change, const char* rule, const char* in_message = "image") {
    pleat_tensor tensor = good;
    change(tensor);
    ExpectRule(pleat_set_input(session, 0, &tensor), rule, in_message);
  };
  static const int64_t kNegative[] = {1, 3, -2, 2}, kChannels[] = {1, 4, 2, 2},
                       kHuge[] = {INT64_MAX, 3, 2, 2}, kBackwards[] = {12, 4, -2, 1},
                       kFar[] = {0, 0, 0, INT64_MAX}, kNone[] = {0, 3, 2, 2};
  static const float kMean[] = {1, 2, 3};
  refused([](pleat_tensor& t) { t.struct_size = 0; }, "STRUCT_SIZE", "tensor");
  refused([](pleat_tensor& t) { t.struct_size = offsetof(pleat_tensor, data) + 4; }, "STRUCT_SIZE",
          "tensor");
  refused([](pleat_tensor& t) { t.data = nullptr; }, "NULL_ARGUMENT", "data");
  refused([](pleat_tensor& t) { t.shape = nullptr; }, "NULL_ARGUMENT", "shape");
  refused([](pleat_tensor& t) { t.bytes -= 1; }, "BUFFER_TOO_SMALL", "48 bytes");
  refused([](pleat_tensor& t) { t.bytes = 0; }, "BUFFER_TOO_SMALL");
  refused([](pleat_tensor& t) { t.element = PLEAT_FLOAT64; }, "ELEMENT_TYPE", "float64");
  refused([](pleat_tensor& t) { t.element = static_cast<pleat_element>(13); }, "ELEMENT_TYPE");
  refused([](pleat_tensor& t) { t.element = static_cast<pleat_element>(-1); }, "ELEMENT_TYPE");
  refused([](pleat_tensor& t) { t.layout = static_cast<pleat_layout>(2); }, "LAYOUT");
  refused([](pleat_tensor& t) { t.layout = PLEAT_CHANNELS_LAST; }, "SHAPE");
  refused([](pleat_tensor& t) { t.rank = 3; }, "SHAPE", "float32[?,3,?,?]");
  refused([](pleat_tensor& t) { t.rank = 9; }, "RANK");
  refused([](pleat_tensor& t) { t.rank = SIZE_MAX; }, "RANK");
  refused([](pleat_tensor& t) { t.shape = kNegative; }, "SHAPE");
  refused([](pleat_tensor& t) { t.shape = kChannels; }, "SHAPE", "float32[1,4,2,2]");
  refused([](pleat_tensor& t) { t.shape = kHuge; }, "LIMIT_EXCEEDED");
  refused([](pleat_tensor& t) { t.strides = kBackwards; }, "STRIDES");
  refused([](pleat_tensor& t) { t.strides = kFar; }, "BUFFER_TOO_SMALL");
  refused([](pleat_tensor& t) { t.strides = kFar, t.bytes = SIZE_MAX; }, "BUFFER_TOO_SMALL",
          "more memory than there can be");

  auto bare = Sized<pleat_tensor>();
  ExpectRule(pleat_set_input(session, 0, &bare), "SHAPE");
  pleat_tensor empty = good;
  empty.shape = kNone;
  empty.data = nullptr;
  empty.bytes = 0;
  EXPECT_EQ(pleat_set_input(session, 0, &empty), PLEAT_OK);

  const ModelHandle integers = Load(IntegerModel());
  const SessionHandle other = MakeSession(integers.get());
  const int64_t numbers[] = {1, 2}, shape[] = {2};
  auto tensor = Sized<pleat_tensor>();
  tensor.data = numbers;
  tensor.bytes = sizeof(numbers);
  tensor.element = PLEAT_INT64;
  tensor.rank = 1;
  tensor.shape = shape;
  EXPECT_EQ(pleat_set_input(other.get(), 0, &tensor), PLEAT_OK);
  tensor.mean = kMean;
  ExpectRule(pleat_set_input(other.get(), 0, &tensor), "MEAN_SCALE", "a channel axis");
  tensor.mean = nullptr;
  tensor.layout = PLEAT_CHANNELS_LAST;
  ExpectRule(pleat_set_input(other.get(), 0, &tensor), "LAYOUT");
}

TEST_F(Arguments, ARefusedInputLeavesTheOldOneInPlace) {
  pleat_session* session = session_.get();
  ASSERT_EQ(inputs_.Set(session), PLEAT_OK);
  pleat_tensor wrong = Dense(inputs_.image, inputs_.image_shape);
  wrong.bytes = 1;
  ASSERT_NE(pleat_set_input(session, 0, &wrong), PLEAT_OK);
  ASSERT_EQ(pleat_run(session, nullptr), PLEAT_OK);
  EXPECT_EQ(Floats(session, 0), inputs_.ExpectedSum());
}

TEST_F(Arguments, OutputsRefuseWhatDoesNotFit) {
  pleat_session* session = session_.get();
  std::vector<float> buffer(12);
  auto tensor = Sized<pleat_tensor>();
  ExpectRule(pleat_set_output(nullptr, 0, buffer.data(), 48), "NULL_ARGUMENT", "session");
  ExpectRule(pleat_set_output(session, 3, buffer.data(), 48), "INDEX", "output 3");
  ExpectRule(pleat_get_output(nullptr, 0, &tensor), "NULL_ARGUMENT", "session");
  ExpectRule(pleat_get_output(session, 0, &tensor), "NOT_RUN");
  ASSERT_EQ(inputs_.Set(session), PLEAT_OK);
  ASSERT_EQ(pleat_set_output(session, 0, buffer.data(), 47), PLEAT_OK);
  ExpectRule(pleat_run(session, nullptr), "BUFFER_TOO_SMALL", "48 bytes, got 47");
  ASSERT_EQ(pleat_set_output(session, 0, buffer.data(), 48), PLEAT_OK);
  ASSERT_EQ(pleat_set_output(session, 1, buffer.data() + 11, 48), PLEAT_OK);
  ExpectRule(pleat_run(session, nullptr), "BUFFER_OVERLAP");
  ASSERT_EQ(pleat_set_output(session, 1, nullptr, 0), PLEAT_OK);
  ASSERT_EQ(pleat_run(session, nullptr), PLEAT_OK);
  ExpectRule(pleat_get_output(session, 0, nullptr), "NULL_ARGUMENT", "tensor");
  ExpectRule(pleat_get_output(session, 3, &tensor), "INDEX");
  EXPECT_EQ(buffer, inputs_.ExpectedSum());
}

TEST_F(Arguments, RunAndPrepareNeedTheirInputs) {
  pleat_session* session = session_.get();
  auto info = Sized<pleat_session_info>();
  auto options = Sized<pleat_run_options>();
  ExpectRule(pleat_run(nullptr, nullptr), "NULL_ARGUMENT", "session");
  ExpectRule(pleat_prepare(nullptr), "NULL_ARGUMENT", "session");
  ExpectRule(pleat_cancel(nullptr), "NULL_ARGUMENT", "session");
  ExpectRule(pleat_session_get_info(nullptr, &info), "NULL_ARGUMENT", "session");
  ExpectRule(pleat_session_get_info(session, nullptr), "NULL_ARGUMENT", "info");
  ExpectRule(pleat_run(session, nullptr), "INPUT_NOT_SET", "image (float32[?,3,?,?])");
  ExpectRule(pleat_prepare(session), "INPUT_NOT_SET", "image");
  ExpectRule(pleat_session_get_info(session, &info), "INPUT_NOT_SET", "image");
  ASSERT_EQ(inputs_.Set(session), PLEAT_OK);
  options.timeout_ns = -1;
  ExpectRule(pleat_run(session, &options), "TIMEOUT");
  options.struct_size = 3;
  ExpectRule(pleat_run(session, &options), "STRUCT_SIZE");
  EXPECT_EQ(pleat_run(session, nullptr), PLEAT_OK);
}

TEST(LastError, BelongsToItsThreadAndNeedsNoFailure) {
  EXPECT_NE(pleat_last_error(), nullptr);
  EXPECT_NE(pleat_last_error()->message, nullptr);
  EXPECT_NE(pleat_last_error()->rule, nullptr);
}

}  // namespace
}  // namespace pleat::tests
