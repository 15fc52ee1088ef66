// Identity: x itself.
#include "runtime/ops/arguments.h"

namespace pleat::runtime {
namespace {

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 1));
  context.outputs[0] = context.inputs[0];
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  context.view_of = 0;
  return Status::Ok();
}

}  // namespace

extern const OpRule kIdentityRule;
const OpRule kIdentityRule = {"Identity", Infer, Prepare};

}  // namespace pleat::runtime
