// What the importers of attention, spectra, tables and bodies that are written out refuse.
#include <gtest/gtest.h>

#include "tests/converter/refusals_support.h"

namespace pleat::converter {
namespace {

using onnx::TensorProto;
using tests::Attributes;
using tests::ExpectSays;
using tests::kUnsupported;
using tests::On;
using tests::OnnxBuilder;
using Int64s = std::vector<int64_t>;
using Reals = std::vector<float>;
using Strings = std::vector<std::string>;
using namespace std::string_literals;

TEST(ImportRefusals, LinearAttention) {
  const auto build = [](const Attributes& more, const Int64s& q = {1, 3, 4},
                        const Int64s& v = {1, 3, 4}, const Strings& last = {}) {
    OnnxBuilder builder(27, 10);
    builder.Input("q", q).Input("k", q).Input("v", v);
    builder.Input("p", {1, 2, 2, 2}).Input("g", {1, 3, 4});
    Attributes attributes = {{"update_rule", "linear"s}, {"q_num_heads", int64_t{2}},
                             {"kv_num_heads", int64_t{2}}};
    for (const auto& [name, value] : more) attributes[name] = value;
    Strings inputs = {"q", "k", "v", "p"};
    inputs.insert(inputs.end(), last.begin(), last.end());
    return builder.Node("LinearAttention", inputs, {"y"}, attributes).Output("y");
  };
  const auto heads = [&](int64_t q, int64_t kv) {
    return build({{"q_num_heads", q}, {"kv_num_heads", kv}});
  };
  ASSERT_TRUE(build({}).Import().ok()) << build({}).Import().status().message();
  ExpectSays(build({{"update_rule", "other"s}}), "update_rule is 'other'");
  const std::string inputs = " does not go with its inputs";
  ExpectSays(build({}, {1, 3, 4}, {1, 3, 4}, {"g"}), "update_rule 'linear'" + inputs);
  ExpectSays(build({{"update_rule", "gated"s}}), "update_rule 'gated'" + inputs);
  ExpectSays(build({{"update_rule", "delta"s}}), "update_rule 'delta'" + inputs);
  const std::string numbers = "its numbers of heads do not go with ";
  using Heads = std::pair<int64_t, int64_t>;
  for (const auto& [q, kv] :
       {Heads{0, 2}, {2, 0}, {-2, 2}, {2, -2}, {2, 4}, {3, 2}, {8, 2}, {8, 8}}) {
    ExpectSays(heads(q, kv), numbers);
  }
  ExpectSays(build({}, {3, 4}), numbers);
  ExpectSays(build({}, {1, 3, 4}, {3, 4}), numbers);
  ExpectSays(build({}, {1, 3, 4}, {1, 3, 3}), numbers);
  const std::string steps = "its steps are not known, or more than 1024";
  ExpectSays(build({}, {1, -1, 4}), steps, kUnsupported);
  ExpectSays(build({}, {1, 1025, 4}), steps, kUnsupported);
  const Attributes one = {{"q_num_heads", int64_t{1}}, {"kv_num_heads", int64_t{1}}};
  ExpectSays(build(one, {1, 3, -1}), steps, kUnsupported);
  ExpectSays(build(one, {1, 3, 4}, {1, 3, -1}), steps, kUnsupported);
}

TEST(ImportRefusals, Determinants) {
  ExpectSays(On({"x"}, "Det", {}, 17, {3}), "no square matrices");
  ExpectSays(On({"x"}, "Det", {}, 17, {2, 3}), "no square matrices");
  ExpectSays(On({"x"}, "Det", {}, 17, {0, 0}), "expected a known size up to 3", kUnsupported);
  ExpectSays(On({"x"}, "Det", {}, 17, {4, 4}), "expected a known size up to 3", kUnsupported);
  ExpectSays(On({"x"}, "Det", {}, 17, {2, -1}), "expected a known size up to 3", kUnsupported);
}

TEST(ImportRefusals, MelWeights) {
  const auto build = [](const Reals& mels, float length, float rate, float low, float high,
                        int64_t type = TensorProto::FLOAT) {
    OnnxBuilder builder(17);
    builder.Weight("m", {static_cast<int64_t>(mels.size())}, mels).Weight("n", {}, {length});
    builder.Weight("r", {}, {rate}).Weight("l", {}, {low}).Weight("h", {}, {high});
    builder.Node("MelWeightMatrix", {"m", "n", "r", "l", "h"}, {"y"}, {{"output_datatype", type}});
    return builder.Output("y");
  };
  ASSERT_TRUE(build({2}, 16, 8000, 0, 4000).Import().ok());
  OnnxBuilder open = build({2}, 16, 8000, 0, 4000);
  open.Input("given", {});
  open.last_node().set_input(0, "given");
  const std::string constants = "its inputs are known only at run time; make them constants";
  ExpectSays(open, constants, kUnsupported);
  ExpectSays(build({2, 3}, 16, 8000, 0, 4000), constants, kUnsupported);
  ExpectSays(build({2}, 16, 8000, 0, 4000, 999), "999");
  const std::string none = "its inputs describe no matrix, or one that is too large";
  ExpectSays(build({0}, 16, 8000, 0, 4000), none);
  ExpectSays(build({2}, 0, 8000, 0, 4000), none);
  ExpectSays(build({2}, 16, 0, 0, 4000), none);
  ExpectSays(build({2}, 16, 8000, -1, 4000), none);
  ExpectSays(build({2}, 16, 8000, 4000, 0), none);
  ExpectSays(build({1 << 14}, 1 << 14, 8000, 0, 4000), none);
  ExpectSays(build({2}, 16, 8000, 0, 80000), "its upper edge is beyond the spectrum");
}

TEST(ImportRefusals, FourierTransformsThatAreTooLong) {
  OnnxBuilder builder(17);
  builder.Input("x", {1, 8, 1}).Int64s("n", {int64_t{1} << 25});
  builder.Node("DFT", {"x", "n"}, {"y"}).Output("y");
  ExpectSays(builder, "it is too long to be a product", kUnsupported);
}

TEST(ImportRefusals, Tables) {
  const auto table = [](const std::string& op, const Attributes& attributes) {
    OnnxBuilder builder = On({"x"}, op, attributes);
    builder.last_node().set_domain("ai.onnx.ml");
    return builder;
  };
  ExpectSays(table("Normalizer", {{"norm", "MAX"s}}), "norm is 'MAX', expected L1 or L2",
             kUnsupported);
  const std::string integers = "it imputes integers; only floats are read";
  ExpectSays(table("Imputer", {}), integers, kUnsupported);
  const Attributes both = {{"imputed_value_int64s", Int64s{1}}, {"imputed_value_floats", Reals{1}}};
  ExpectSays(table("Imputer", both), integers, kUnsupported);
  ExpectSays(table("LinearRegressor", {}), "0 coefficients for 1 targets");
  ExpectSays(table("LinearRegressor", {{"coefficients", Reals{1, 2, 3}}, {"targets", int64_t{0}}}),
             "3 coefficients for 0 targets");
  ExpectSays(table("LinearRegressor", {{"coefficients", Reals{1, 2, 3}}, {"targets", int64_t{2}}}),
             "3 coefficients for 2 targets");
  const Attributes probit = {{"coefficients", Reals{1, 2, 3}}, {"post_transform", "PROBIT"s}};
  ExpectSays(table("LinearRegressor", probit), "post_transform is 'PROBIT'", kUnsupported);
  ExpectSays(table("OneHotEncoder", {}), "its categories are strings", kUnsupported);
  ExpectSays(table("OneHotEncoder", {{"cats_int64s", Int64s{1}}, {"zeros", int64_t{0}}}),
             "it fails on unknown categories", kUnsupported);
}

TEST(ImportRefusals, NumbersOfFewBits) {
  constexpr int kUint4 = 21, kInt4 = 22;  // newer than the ONNX that this is built with
  OnnxBuilder mixed(21, 10);
  mixed.Input("x", {2}, kUint4).Input("z", {2}, kInt4);
  mixed.Node("Concat", {"x", "z"}, {"y"}, {{"axis", int64_t{0}}}).Output("y", kUint4);
  ExpectSays(mixed, "it computes with tensors of int4", kUnsupported);
  OnnxBuilder last(17);
  last.Input("x", {1, 2, 3, 3}, TensorProto::UINT8).Input("z", {}, TensorProto::UINT8);
  last.Weight("s", {}, {1}).Output("y", TensorProto::UINT8);
  last.Node("QLinearGlobalAveragePool", {"x", "s", "z", "s", "z"}, {"y"},
            {{"channels_last", int64_t{1}}});
  last.last_node().set_domain("com.microsoft");
  ExpectSays(last, "its channels are the last axis", kUnsupported);
}

TEST(ImportRefusals, BodiesThatAreWrittenOut) {
  const auto loop = [](const std::string& rounds, bool whole) {
    OnnxBuilder body(17);
    body.Input("i", {}, TensorProto::INT64).Input("on", {}, TensorProto::BOOL).Input("s", {});
    body.Node("Identity", {"on"}, {"same"}).Node("SequenceInsert", {"s", "x"}, {"longer"});
    body.Output("same", TensorProto::BOOL);
    if (whole) body.Output("longer");
    OnnxBuilder builder(17);
    builder.Input("x", {2}).Node("SequenceEmpty", {}, {"none"}).Output("y");
    builder.Int64s("one", {1}).Int64s("two", {1, 2}).Weight("real", {}, {1});
    builder.Node("Loop", {rounds, "", "none"}, {"all"}, {{"body", body.graph()}});
    return builder.Node("ConcatFromSequence", {"all"}, {"y"}, {{"axis", int64_t{0}}});
  };
  ASSERT_TRUE(loop("one", true).Import().ok());
  ExpectSays(loop("one", false), "its body has fewer outputs than it carries");
  const std::string rounds = "its number of rounds is known only at run time";
  ExpectSays(loop("two", true), rounds, kUnsupported);
  ExpectSays(loop("real", true), rounds, kUnsupported);
  OnnxBuilder body(17);
  body.Input("a", {}).Input("b", {}).Node("Add", {"a", "b"}, {"e"}).Output("e");
  for (const Attributes& attributes : {Attributes{}, Attributes{{"body", body.graph()}}}) {
    OnnxBuilder map(17);
    map.Input("x", {2}).Node("SequenceConstruct", {"x", "x"}, {"s"});
    map.Node("SequenceMap", {"s"}, {"t"}, attributes);
    map.Node("ConcatFromSequence", {"t"}, {"y"}, {{"axis", int64_t{0}}}).Output("y");
    ExpectSays(map, "its body is missing, or has other inputs");
  }
}

}  // namespace
}  // namespace pleat::converter
