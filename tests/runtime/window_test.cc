#include "runtime/ops/window.h"

#include <gtest/gtest.h>

#include <limits>

namespace pleat::runtime {
namespace {

using Sizes = std::vector<int64_t>;

fb::WindowT Window(Sizes strides = {}, Sizes dilations = {}, Sizes pads = {},
                   fb::AutoPad auto_pad = fb::AutoPad::NotSet) {
  fb::WindowT window;
  window.strides = strides;
  window.dilations = dilations;
  window.pads = pads;
  window.auto_pad = auto_pad;
  return window;
}

Shape Gathered(const fb::WindowT& window, Sizes kernel, Sizes in, bool ceil_mode = false) {
  auto geometry = GatherGeometry(window, kernel, in, ceil_mode);
  EXPECT_TRUE(geometry.ok()) << geometry.status().message();
  return geometry.ok() ? geometry->OutSizes() : Shape{};
}

std::string Message(const Result<WindowGeometry>& result) {
  EXPECT_FALSE(result.ok());
  return result.status().message();
}

TEST(GatherGeometry, CountsWindows) {
  EXPECT_EQ(Gathered(Window(), {3, 3}, {5, 7}), (Shape{3, 5}));
  EXPECT_EQ(Gathered(Window({2, 2}, {}, {1, 1, 1, 1}), {3, 3}, {224, 223}), (Shape{112, 112}));
  EXPECT_EQ(Gathered(Window({1}, {3}, {0, 2}), {3}, {9}), (Shape{5}));
  EXPECT_EQ(Gathered(Window(), {1, 2, 3}, {1, 2, 3}), (Shape{1, 1, 1}));
}

TEST(GatherGeometry, PutsMissingDimensionsInFront) {
  auto g = GatherGeometry(Window({2}, {}, {3, 4}), Sizes{5}, Sizes{10});
  ASSERT_TRUE(g.ok());
  EXPECT_EQ(g->rank, 1);
  EXPECT_EQ(g->in[0], 1);
  EXPECT_EQ(g->out[1], 1);
  EXPECT_EQ(g->kernel[2], 5);
  EXPECT_EQ(g->stride[2], 2);
  EXPECT_EQ(g->pad_begin[2], 3);
  EXPECT_EQ(g->pad_end[2], 4);
  EXPECT_EQ(g->pad_begin[0], 0);
}

TEST(GatherGeometry, CeilModeDropsWindowsThatStartInTheEndPad) {
  EXPECT_EQ(Gathered(Window({2}), {3}, {6}, true), (Shape{3}));
  EXPECT_EQ(Gathered(Window({2}), {3}, {6}, false), (Shape{2}));
  EXPECT_EQ(Gathered(Window({3}, {}, {1, 1}), {1}, {2}, true), (Shape{2}));
  EXPECT_EQ(Gathered(Window({2}, {}, {0, 1}), {1}, {2}, true), (Shape{2}));
}

TEST(GatherGeometry, AutoPadKeepsTheSize) {
  const auto upper =
      GatherGeometry(Window({2}, {}, {}, fb::AutoPad::SameUpper), Sizes{3}, Sizes{6});
  const auto lower =
      GatherGeometry(Window({2}, {}, {}, fb::AutoPad::SameLower), Sizes{3}, Sizes{6});
  ASSERT_TRUE(upper.ok() && lower.ok());
  EXPECT_EQ(upper->out[2], 3);
  EXPECT_EQ(upper->pad_begin[2], 0);
  EXPECT_EQ(upper->pad_end[2], 1);
  EXPECT_EQ(lower->pad_begin[2], 1);
  EXPECT_EQ(lower->pad_end[2], 0);
  EXPECT_EQ(Gathered(Window({2}, {}, {}, fb::AutoPad::Valid), {3}, {6}), (Shape{2}));
}

TEST(GatherGeometry, UnknownSizesStayUnknown) {
  EXPECT_EQ(Gathered(Window(), {3, 3}, {kUnknownDim, 7}), (Shape{kUnknownDim, 5}));
  EXPECT_EQ(Gathered(Window(), {kUnknownDim}, {7}), (Shape{kUnknownDim}));
}

TEST(GatherGeometry, RefusesHostileFields) {
  const int64_t huge = std::numeric_limits<int64_t>::max();
  const Sizes in = {8}, kernel = {3};
  EXPECT_EQ(Message(GatherGeometry(Window({1, 1}), kernel, in)), "expected 1 strides, got 2");
  EXPECT_EQ(Message(GatherGeometry(Window({0}), kernel, in)),
            "expected strides of at least 1, got [0]");
  EXPECT_FALSE(GatherGeometry(Window({}, {0}), kernel, in).ok());
  EXPECT_FALSE(GatherGeometry(Window({}, {huge}), kernel, in).ok());
  EXPECT_FALSE(GatherGeometry(Window({}, {}, {-1, 0}), kernel, in).ok());
  EXPECT_FALSE(GatherGeometry(Window({}, {}, {huge, huge}), kernel, in).ok());
  EXPECT_FALSE(GatherGeometry(Window(), Sizes{0}, in).ok());
  EXPECT_FALSE(GatherGeometry(Window(), Sizes{huge}, in).ok());
  EXPECT_FALSE(GatherGeometry(Window(), Sizes{9}, in).ok());
  EXPECT_FALSE(GatherGeometry(Window(), Sizes{}, Sizes{}).ok());
  EXPECT_FALSE(GatherGeometry(Window(), Sizes{1, 1, 1, 1}, Sizes{1, 1, 1, 1}).ok());
  EXPECT_FALSE(GatherGeometry(Window({}, {kMaxTensorBytes}), Sizes{kMaxTensorBytes}, in).ok());
}

TEST(ScatterGeometry, InvertsTheGather) {
  const auto g =
      ScatterGeometry(Window({2, 2}, {}, {1, 1, 1, 1}), Sizes{3, 3}, Sizes{4, 5}, Sizes{1, 0}, {});
  ASSERT_TRUE(g.ok());
  EXPECT_EQ(g->OutSizes(), (Shape{8, 9}));
}

TEST(ScatterGeometry, OutputShapeDecidesThePads) {
  const Sizes wanted = {9};
  auto g = ScatterGeometry(Window({2}), Sizes{3}, Sizes{5}, {}, wanted);
  ASSERT_TRUE(g.ok());
  EXPECT_EQ(g->out[2], 9);
  EXPECT_EQ(g->pad_begin[2], 1);
  EXPECT_EQ(g->pad_end[2], 1);
  const Sizes even = {8};
  g = ScatterGeometry(Window({2}), Sizes{3}, Sizes{5}, {}, even);
  EXPECT_EQ(g->pad_begin[2], 2);
  g = ScatterGeometry(Window({2}, {}, {}, fb::AutoPad::SameUpper), Sizes{3}, Sizes{5}, {}, even);
  EXPECT_EQ(g->pad_begin[2], 1);
  g = ScatterGeometry(Window({2}, {}, {}, fb::AutoPad::SameLower), Sizes{3}, Sizes{5}, {}, {});
  EXPECT_EQ(g->out[2], 10);
  EXPECT_EQ(g->pad_begin[2], 1);
}

TEST(ScatterGeometry, RefusesHostileFields) {
  EXPECT_FALSE(ScatterGeometry(Window({}, {}, {9, 9}), Sizes{3}, Sizes{4}, {}, {}).ok());
  EXPECT_FALSE(
      ScatterGeometry(Window({kMaxTensorBytes}), Sizes{3}, Sizes{kMaxTensorBytes}, {}, {}).ok());
  EXPECT_FALSE(ScatterGeometry(Window(), Sizes{3}, Sizes{4}, Sizes{-1}, {}).ok());
  EXPECT_FALSE(ScatterGeometry(Window(), Sizes{3}, Sizes{4}, {}, Sizes{0}).ok());
}

}  // namespace
}  // namespace pleat::runtime
