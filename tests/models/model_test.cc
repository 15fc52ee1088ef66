// Whole networks: converted, written, read back, run, compared with the answers beside them. The
// networks are those in models/, and those in the folders that PLEAT_MODELS and PLEAT_ZOO name, in
// ONNX's test layout (NAME/model.onnx, NAME/test_data_set_0/{input,output}_K.pb).
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>

#include "converter/convert.h"
#include "converter/tensor_file.h"
#include "runtime/model_file.h"
#include "runtime/session.h"
#include "tests/support/sanitizers.h"

namespace pleat {
namespace {

namespace fs = std::filesystem;
using runtime::Tensor;

// The sanitizers are ten times slower, and look for faults that do not need every size.
#ifdef __SANITIZE_ADDRESS__
const std::vector<int> kThreads = {1, 3};
const std::vector<int64_t> kBatches = {1, 3};
const std::vector<std::pair<int64_t, int64_t>> kSizes = {{64, 96}};
#else
const std::vector<int> kThreads = {1, 2, 3, 4, 7};
const std::vector<int64_t> kBatches = {1, 3, 8};
const std::vector<std::pair<int64_t, int64_t>> kSizes = {{64, 96}, {96, 64}, {128, 128}};
#endif

std::vector<fs::path> Networks() {
  std::vector<fs::path> folders = {fs::path(PLEAT_SOURCE_DIR) / "models"};
  for (const char* variable : {"PLEAT_MODELS", "PLEAT_ZOO"}) {
    if (const char* folder = std::getenv(variable)) {
      folders.push_back(folder);
    } else {
      std::printf("%s is not set: its networks are not tested\n", variable);
    }
  }
  std::set<fs::path> networks;
  for (const fs::path& folder : folders) {
    if (!fs::is_directory(folder)) continue;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (fs::exists(entry.path() / "model.onnx")) networks.insert(entry.path());
    }
  }
  return {networks.begin(), networks.end()};
}

std::string TestName(const testing::TestParamInfo<fs::path>& info) {
  std::string name = info.param.filename();
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

std::vector<Tensor> ReadAll(const fs::path& folder, const std::string& prefix) {
  std::vector<Tensor> tensors;
  for (int k = 0;; ++k) {
    const fs::path file = folder / (prefix + "_" + std::to_string(k) + ".pb");
    if (!fs::exists(file)) return tensors;
    auto read = converter::ReadTensorFile(file);
    EXPECT_TRUE(read.ok()) << read.status().message();
    if (!read.ok()) return tensors;
    tensors.push_back(read->tensor);
  }
}

void ExpectClose(const Tensor& got, const Tensor& expected) {
  ASSERT_EQ(got.type(), expected.type());
  const std::vector<double> y = runtime::ToDoubles(got), answer = runtime::ToDoubles(expected);
  const bool exact = !kernels::IsFloat(got.element());
  const double unit = got.element() == runtime::ElementType::kFloat16 ? 1e-2 : 1e-4;
  double largest = 0, error = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    if (std::isnan(answer[i]) && std::isnan(y[i])) continue;
    if (answer[i] == y[i]) continue;
    ASSERT_FALSE(std::isnan(y[i])) << "element " << i;
    error = std::max(error, std::fabs(y[i] - answer[i]));
  }
  for (double a : answer) {
    if (std::isfinite(a)) largest = std::max(largest, std::fabs(a));
  }
  // ONNX Runtime's sigmoid is a rational function around 1/2, off by up to 1.2e-7 however small the
  // result; answers below 1e-3 carry that.
  const double noise = 2.5e-7;
  EXPECT_LE(error, exact ? 0 : unit * largest + noise) << "largest answer " << largest;
}

class Network : public testing::TestWithParam<fs::path> {};

TEST_P(Network, GivesTheAnswersBesideIt) {
  const fs::path folder = GetParam();
  auto converted = converter::ConvertOnnxFile(folder / "model.onnx", {});
  ASSERT_TRUE(converted.ok()) << converted.status().message();
  const std::string file = runtime::SerializeGraph(*converted);
  auto model = runtime::Model::FromBytes(std::as_bytes(std::span(file)));
  ASSERT_TRUE(model.ok()) << model.status().message();

  const std::vector<Tensor> inputs = ReadAll(folder / "test_data_set_0", "input");
  const std::vector<Tensor> answers = ReadAll(folder / "test_data_set_0", "output");
  ASSERT_FALSE(answers.empty());
  std::vector<Tensor> first;
  for (const int threads : kThreads) {
    runtime::Session session(*model, {.threads = threads});
    auto outputs = session.Run(inputs);
    ASSERT_TRUE(outputs.ok()) << outputs.status().message();
    ASSERT_EQ(outputs->size(), answers.size());
    for (size_t i = 0; i < answers.size(); ++i) {
      SCOPED_TRACE("output " + std::to_string(i) + ", " + std::to_string(threads) + " threads");
      ExpectClose((*outputs)[i], answers[i]);
      if (threads > 1) {
        EXPECT_EQ(std::memcmp((*outputs)[i].raw(), first[i].raw(), first[i].bytes()), 0);
      }
    }
    first = std::move(*outputs);
  }
}

TEST_P(Network, NeedsLittleMoreMemoryThanLivesAtOnce) {
  const fs::path folder = GetParam();
  auto converted = converter::ConvertOnnxFile(folder / "model.onnx", {});
  if (!converted.ok()) GTEST_SKIP() << converted.status().message();
  const std::string file = runtime::SerializeGraph(*converted);
  auto model = runtime::Model::FromBytes(std::as_bytes(std::span(file)));
  ASSERT_TRUE(model.ok()) << model.status().message();
  std::vector<runtime::Shape> shapes;
  for (const Tensor& input : ReadAll(folder / "test_data_set_0", "input")) {
    shapes.push_back(input.shape());
  }
  for (int threads : {1, 2}) {
    runtime::Session session(*model, {.threads = threads});
    auto plan = session.Prepare(shapes);
    ASSERT_TRUE(plan.ok()) << plan.status().message();
    const auto live = static_cast<double>((*plan)->live_bytes);
    EXPECT_LE(static_cast<double>((*plan)->arena_bytes), 1.15 * live + 4096) << threads;
  }
}

TEST_P(Network, FoldsEveryBatchNormBehindALinearNode) {
  const std::string path = GetParam() / "model.onnx";
  auto imported = converter::ImportOnnxFile(path, {});
  auto converted = converter::ConvertOnnxFile(path, {});
  if (!imported.ok() || !converted.ok()) GTEST_SKIP() << imported.status().message();
  const auto makers = imported->Makers();
  std::set<std::string> fed;
  for (const runtime::Node& node : imported->nodes) {
    if (node.As<runtime::fb::ScaleShiftT>() == nullptr) continue;
    const int maker = makers[static_cast<size_t>(node.inputs[0])];
    if (maker < 0) continue;
    const runtime::Node& producer = imported->nodes[static_cast<size_t>(maker)];
    if (producer.As<runtime::fb::ConvT>() || producer.As<runtime::fb::ConvTransposeT>() ||
        producer.As<runtime::fb::MatMulT>()) {
      fed.insert(node.sources.begin(), node.sources.end());
    }
  }
  EXPECT_EQ(imported->batch_norms.size(), converted->batch_norms.size());
  for (const auto& record : converted->batch_norms) {
    if (fed.count(record.node) != 0) {
      EXPECT_EQ(record.status, runtime::fb::FoldStatus::Folded)
          << record.node << ": " << record.reason << " " << record.detail;
    }
  }
}

// The network with the size of its only input given, as a model; null where it cannot be converted
// with that size.
std::shared_ptr<const runtime::Model> ConvertedFor(const fs::path& folder, const std::string& input,
                                                   const runtime::Shape& shape) {
  converter::ConvertOptions options;
  options.input_shapes[input] = shape;
  auto graph = converter::ConvertOnnxFile(folder / "model.onnx", options);
  return graph.ok() ? *runtime::Model::FromGraph(std::move(graph).value()) : nullptr;
}

// One file for every batch and image size of a fully convolutional network.
TEST_P(Network, GivesTheSameBitsAsAFileFixedToItsSize) {
  const fs::path folder = GetParam();
  const auto imported = converter::ImportOnnxFile(folder / "model.onnx", {});
  if (!imported.ok()) GTEST_SKIP() << imported.status().message();
  if (imported->inputs.size() != 1) GTEST_SKIP() << "it has several inputs";
  const runtime::Value& input = imported->values[static_cast<size_t>(imported->inputs[0])];
  const runtime::Shape& declared = input.type.shape;
  if (declared.size() != 4 || declared[1] < 1 || declared[1] > 4 || !IsFloat(input.type.element)) {
    GTEST_SKIP() << "its input is no image, channels first";
  }
  const auto any = ConvertedFor(folder, input.name, {-1, declared[1], -1, -1});
  if (any == nullptr) GTEST_SKIP() << "it does not take images of any size";
  for (const int64_t batch : kBatches) {
    for (const auto& [height, width] : kSizes) {
      const runtime::Shape shape = {batch, declared[1], height, width};
      SCOPED_TRACE(runtime::ShapeText(shape));
      runtime::Session session(any, {.threads = 2});
      if (!session.Prepare({&shape, 1}).ok()) GTEST_SKIP() << "not of " << runtime::ShapeText(shape);
      const auto fixed = ConvertedFor(folder, input.name, shape);
      ASSERT_NE(fixed, nullptr);
      runtime::Session alone(fixed, {.threads = 2});
      std::vector<float> numbers(static_cast<size_t>(runtime::ElementCount(shape)));
      for (size_t i = 0; i < numbers.size(); ++i) {
        numbers[i] = static_cast<float>(i * 7919 % 1009) / 1009.0f - 0.5f;
      }
      const Tensor x = runtime::Cast(Tensor::Of<float>(shape, numbers), input.type.element);
      const auto got = session.Run({x}), expected = alone.Run({x});
      ASSERT_TRUE(got.ok()) << got.status().message();
      ASSERT_TRUE(expected.ok()) << expected.status().message();
      for (size_t i = 0; i < expected->size(); ++i) {
        ASSERT_EQ((*got)[i].type(), (*expected)[i].type()) << "output " << i;
        EXPECT_EQ(std::memcmp((*got)[i].raw(), (*expected)[i].raw(), (*got)[i].bytes()), 0)
            << "output " << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Network, testing::ValuesIn(Networks()), TestName);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Network);

}  // namespace
}  // namespace pleat
