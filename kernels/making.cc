#include "kernels/making.h"

namespace pleat::kernels {
namespace {

thread_local ThreadPool* current = nullptr;

}  // namespace

MakingThreads::MakingThreads(ThreadPool& pool) : before_(current) { current = &pool; }
MakingThreads::~MakingThreads() { current = before_; }
ThreadPool* MakingThreads::Current() { return current; }

}  // namespace pleat::kernels
