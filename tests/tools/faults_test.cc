// What a machine does to a conversion: it kills it, fills the disk, refuses memory and files. The
// target is the old file, the new one or none, never a part.
#include <gtest/gtest.h>

#include "tests/support/sanitizers.h"
#include "tests/tools/shell.h"

namespace pleat::tools {
namespace {

// An old and a new file to convert to, and what may stand at the target afterwards.
constexpr const char* kSetUp = R"sh(
    old=$models/digits_mlp/model.onnx new=$models/digits_cnn/model.onnx
    mkdir -p out
    $pleat convert $old -o old.pleat -q; $pleat convert $new -o new.pleat -q
    whole() { cmp -s out/net.pleat old.pleat || cmp -s out/net.pleat new.pleat; }
    kept() { cmp out/net.pleat old.pleat; [ "$(ls out)" = net.pleat ]; }
    reset() { rm -rf out/*; cp old.pleat out/net.pleat; }
)sh";

#ifdef __SANITIZE_ADDRESS__
constexpr const char* kSanitized = "sanitized=1\n";
#else
constexpr const char* kSanitized = "sanitized=0\n";
#endif

Outcome Faults(const TempFolder& folder, const std::string& script) {
  return Shell(folder, std::string(kSanitized) + kSetUp + script);
}

// PLEAT_KILLS sets how often.
TEST(FaultsTest, AKilledConversionLeavesTheOldFileOrTheNew) {
  const char* wanted = std::getenv("PLEAT_KILLS");
  const TempFolder folder;
  const Outcome outcome = Faults(folder, "kills=" + std::string(wanted ? wanted : "12") + R"sh(
      start=$(date +%s%N); $pleat convert $new -o out/net.pleat -q; end=$(date +%s%N)
      micros=$(( (end - start) / 1000 + 2000 ))
      RANDOM=7 finished=0
      for i in $(seq $kills); do
        if [ $((i % 2)) = 0 ]; then rm -rf out/*; else reset; fi
        $pleat convert $new -o out/net.pleat -q & pid=$!
        sleep $(printf '0.%06d' $(( (RANDOM * 32768 + RANDOM) % micros )))
        kill -9 $pid 2>/dev/null || true
        if wait $pid; then finished=$((finished + 1)); fi 2>/dev/null
        if [ -e out/net.pleat ]; then whole; else [ $((i % 2)) = 0 ]; fi
        for left in out/*; do [ $left = out/net.pleat ] || [[ $left =~ net.pleat\.......$ ]] ||
          [ $left = 'out/*' ]; done
      done)sh");
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
}

TEST(FaultsTest, ATerminatedConversionLeavesNothingHalf) {
  const TempFolder folder;
  const Outcome outcome = Faults(folder, R"sh(
      for signal in INT TERM HUP; do
        for wait in 0.001 0.004 0.01 0.02; do
          reset
          $pleat convert $new -o out/net.pleat -q & pid=$!
          sleep $wait
          kill -$signal $pid 2>/dev/null || true
          wait $pid 2>/dev/null || true
          whole
          [ "$(ls out)" = net.pleat ]
        done
      done)sh");
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
}

TEST(FaultsTest, AFileSizeLimitIsAnErrorAndLeavesTheOldFile) {
  const TempFolder folder;
  const Outcome outcome = Faults(folder, R"sh(
      reset
      if (ulimit -f 8; $pleat convert $new -o out/net.pleat -q 2> said); then exit 1; else code=$?; fi
      [ $code = 5 ]; grep -q 'File too large' said; kept)sh");
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
}

TEST(FaultsTest, AFullDiskIsAnErrorAndLeavesTheOldFile) {
  const TempFolder folder;
  const Outcome outcome = Faults(folder, R"sh(
      unshare -m true 2>/dev/null || { echo skipped; exit 0; }
      unshare -m bash -euc '
        mount -t tmpfs -o size=64k tmpfs out || { echo skipped; exit 0; }
        head -c 20000 /dev/zero > out/net.pleat; cp out/net.pleat before
        for from in $1 $2; do
          if $0 convert $from -o out/net.pleat -q 2> said; then exit 1; else code=$?; fi
          [ $code = 5 ]; grep -q "No space left" said
          cmp out/net.pleat before; [ "$(ls out)" = net.pleat ]
        done' $pleat $old $new)sh");
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  if (outcome.out.starts_with("skipped")) GTEST_SKIP() << "no file system may be mounted here";
}

TEST(FaultsTest, ClosedStreamsDoNotBecomeTheModel) {
  const TempFolder folder;
  const Outcome outcome = Faults(folder, R"sh(
      $pleat convert $new -o a.pleat <&-
      $pleat convert $new -o b.pleat --verify >&-  || true
      $pleat convert $new -o c.pleat --verify 2>&-
      $pleat convert $new -o d.pleat --verify <&- >&- 2>&- || true
      for file in a b c d; do cmp $file.pleat new.pleat; done
      if $pleat inspect new.pleat > /dev/full 2> said; then exit 1; else [ $? = 5 ]; fi)sh");
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
}

TEST(FaultsTest, LittleMemoryFewFilesAndASmallStackAreErrorsOrEnough) {
  const TempFolder folder;
  const Outcome outcome = Faults(folder, R"sh(
      reset
      limited() {
        set +e; (ulimit $1 $2; exec $pleat convert $new -o out/net.pleat -q) 2> said; code=$?; set -e
        case $code in 0) whole;; 2|5|6|127) kept;; *) echo "ulimit $1 $2: $code"; exit 1;; esac
        reset
      }
      limited -s 256; limited -s 1024
      if [ $sanitized = 0 ]; then  # sanitizers open files and map memory of their own
        limited -n 3; limited -n 4
        for kib in 20000 30000 40000 50000 60000 80000 100000; do limited -v $kib; done
      fi)sh");
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
}

TEST(FaultsTest, TwoConversionsToOneFileAreBothWhole) {
  const TempFolder folder;
  const Outcome outcome = Faults(folder, R"sh(
      for i in 1 2 3 4; do
        $pleat convert $old -o out/net.pleat -q & a=$!
        $pleat convert $new -o out/net.pleat -q & b=$!
        wait $a; wait $b; whole; [ "$(ls out)" = net.pleat ]
      done)sh");
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
}

TEST(FaultsTest, OddPathsAreJustPaths) {
  const TempFolder folder;
  const Outcome outcome = Faults(folder, R"sh(
      odd=$(printf 'a\nb\033[31m \377 "q')
      $pleat convert $new -o "$odd" -q; cmp "$odd" new.pleat
      (cd out; $pleat convert $new -o ./-x.pleat -q; cmp ./-x.pleat ../new.pleat)
      if $pleat convert "$odd.onnx" -o never 2> said; then exit 1; else [ $? = 5 ]; fi
      if grep -q $(printf '\033') said; then exit 1; fi
      long=$(printf 'x%.0s' $(seq 5000))
      if $pleat convert $new -o $long 2> said; then exit 1; else [ $? = 5 ]; fi
      TMPDIR=/proc $pleat convert $new -o out/beside.pleat -q; cmp out/beside.pleat new.pleat)sh");
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
}

TEST(FaultsTest, TheSurroundingsAreNotInTheFile) {
  const TempFolder folder;
  const Outcome outcome = Faults(folder, R"sh(
      umask 077; $pleat convert $new -o a.pleat -q
      [ $(stat -c %a a.pleat) = 600 ]; umask 022
      TZ=Asia/Tokyo LC_ALL=de_DE.UTF-8 LANG=de_DE.UTF-8 SOURCE_DATE_EPOCH=1 HOME=/nowhere \
        $pleat convert $new -o b.pleat -q
      [ $(stat -c %a b.pleat) = 644 ]
      cp $new copy.onnx; (cd out; $pleat convert ../copy.onnx -o c.pleat -q)
      cmp a.pleat new.pleat; cmp b.pleat new.pleat; cmp out/c.pleat new.pleat)sh");
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
}

}  // namespace
}  // namespace pleat::tools
