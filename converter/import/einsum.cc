// Einsum by products of two operands at a time. Each label is in one of four groups of such a pair:
// batch (in both and wanted later), summed (in both, not wanted later), left and right; a group's
// axes become one, so that a batched matrix product does the rest.
#include <algorithm>
#include <map>
#include <set>

#include "converter/import/emit.h"
#include "converter/import/imports.h"
#include "converter/import/text.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;
using runtime::Status;
using runtime::ValueId;

// Axes that "..." stands for have labels of their own, from the last axis on.
constexpr int kEllipsis = 256;
using Labels = std::vector<int>;

struct Operand {
  ValueId value = runtime::kNoValue;
  Labels labels;
};

struct Equation {
  std::vector<Operand> operands;
  Labels output;
};

bool Has(const Labels& labels, int label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

// The labels of one term; `dots` is how many axes its "..." stands for.
Labels LabelsOf(ImportContext& context, const std::string& term, int dots) {
  Labels labels;
  for (size_t i = 0; i < term.size(); ++i) {
    if (std::isalpha(static_cast<unsigned char>(term[i])) != 0) {
      labels.push_back(term[i]);
    } else if (term.compare(i, 3, "...") == 0) {
      for (int d = dots; d-- > 0;) labels.push_back(kEllipsis + d);
      i += 2;
    } else {
      context.Invalid("its equation has " + Quoted(term.substr(i, 1)));
      return {};
    }
  }
  return labels;
}

// Labels that appear once, in alphabetical order, those of "..." first: the output an equation
// without "->" means.
Labels ImpliedOutput(const std::vector<Operand>& operands) {
  std::map<int, int> times;
  for (const Operand& operand : operands) {
    for (const int label : operand.labels) ++times[label];
  }
  Labels output;
  for (auto it = times.rbegin(); it != times.rend(); ++it) {
    if (it->first >= kEllipsis) output.push_back(it->first);
  }
  for (const auto& [label, count] : times) {
    if (label < kEllipsis && count == 1) output.push_back(label);
  }
  return output;
}

Equation Parse(ImportContext& context) {
  std::string text = context.String("equation");
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  const size_t arrow = text.find("->");
  std::vector<std::string> terms(1);
  for (const char c : text.substr(0, arrow)) {
    if (c == ',') {
      terms.emplace_back();
    } else {
      terms.back() += c;
    }
  }
  Equation equation;
  if (static_cast<int>(terms.size()) != context.input_count()) {
    context.Invalid("its equation has " + std::to_string(terms.size()) + " terms for " +
                    std::to_string(context.input_count()) + " inputs");
    return equation;
  }
  int most_dots = 0;
  for (size_t i = 0; i < terms.size(); ++i) {
    const int rank = context.Rank(static_cast<int>(i));
    const bool has_dots = terms[i].find("...") != std::string::npos;
    const int dots = has_dots ? rank - static_cast<int>(terms[i].size() - 3) : 0;
    if (dots >= 0) most_dots = std::max(most_dots, dots);
    const Labels labels = LabelsOf(context, terms[i], std::max(dots, 0));
    if (context.ok() && static_cast<int>(labels.size()) != rank) {
      context.Invalid("term " + Quoted(terms[i]) + " of its equation does not fit " +
                      runtime::TypeText(context.input_type(static_cast<int>(i))));
    }
    equation.operands.push_back({context.input(static_cast<int>(i)), labels});
  }
  if (!context.ok()) return equation;
  equation.output = arrow == std::string::npos
                        ? ImpliedOutput(equation.operands)
                        : LabelsOf(context, text.substr(arrow + 2), most_dots);
  std::set<int> seen;
  for (const int label : equation.output) {
    const bool known =
        std::any_of(equation.operands.begin(), equation.operands.end(),
                    [&](const Operand& operand) { return Has(operand.labels, label); });
    if (!known || !seen.insert(label).second) {
      context.Invalid("the output of its equation repeats a label or has one of its own");
    }
  }
  return equation;
}

// The sizes of some axes of a value, as a vector.
ValueId SizesOf(ImportContext& context, ValueId x, const std::vector<int64_t>& axes) {
  return context.Emit(fb::GatherT(),
                      {context.Emit(fb::ShapeOfT(), {x}), context.Int64s(axes)});
}

// Takes the diagonal where a label appears twice: the second axis goes, the first keeps elements
// whose places are equal.
void TakeDiagonals(ImportContext& context, Operand* operand) {
  for (size_t first = 0; first < operand->labels.size(); ++first) {
    for (size_t second = operand->labels.size(); second-- > first + 1;) {
      if (operand->labels[second] != operand->labels[first]) continue;
      const auto rank = static_cast<int64_t>(operand->labels.size());
      std::vector<int64_t> perm;
      for (int64_t i = 0; i < rank; ++i) {
        if (i != static_cast<int64_t>(first) && i != static_cast<int64_t>(second)) {
          perm.push_back(i);
        }
      }
      perm.insert(perm.begin(), {static_cast<int64_t>(first), static_cast<int64_t>(second)});
      const ValueId leading = EmitTranspose(context, operand->value, perm);
      const ValueId size = SizeAlong(context, leading, 0);
      const ValueId column = EmitReshape(context, EmitNumbers(context, size), {-1, 1});
      const ValueId pairs = EmitConcat(context, 1, {column, column});
      operand->value = context.Emit(fb::GatherNDT(), {leading, pairs});
      const int label = operand->labels[first];
      operand->labels.erase(operand->labels.begin() + static_cast<int64_t>(second));
      operand->labels.erase(operand->labels.begin() + static_cast<int64_t>(first));
      operand->labels.insert(operand->labels.begin(), label);
      first = 0;
      second = operand->labels.size();
    }
  }
}

// Sums over the labels that nobody wants.
void SumAway(ImportContext& context, Operand* operand, const std::set<int>& wanted) {
  fb::ReduceT fields;
  fields.keepdims = false;
  Labels kept;
  for (size_t i = 0; i < operand->labels.size(); ++i) {
    if (wanted.contains(operand->labels[i])) {
      kept.push_back(operand->labels[i]);
    } else {
      fields.axes.push_back(static_cast<int64_t>(i));
    }
  }
  if (fields.axes.empty()) return;
  operand->value = context.Emit(std::move(fields), {operand->value});
  operand->labels = kept;
}

struct Groups {
  Labels batch, left, right, summed;
};

Groups GroupsOf(const Operand& a, const Operand& b, const std::set<int>& wanted) {
  Groups groups;
  for (const int label : a.labels) {
    if (!Has(b.labels, label)) {
      groups.left.push_back(label);
    } else {
      (wanted.contains(label) ? groups.batch : groups.summed).push_back(label);
    }
  }
  for (const int label : b.labels) {
    if (!Has(a.labels, label)) groups.right.push_back(label);
  }
  return groups;
}

// The operand with its axes in the order of the labels, and those from `begin` on in groups of so
// many: one axis each.
ValueId Arranged(ImportContext& context, const Operand& operand, const Labels& batch,
                 const Labels& rows, const Labels& columns) {
  std::vector<int64_t> perm;
  for (const Labels* group : {&batch, &rows, &columns}) {
    for (const int label : *group) {
      perm.push_back(std::find(operand.labels.begin(), operand.labels.end(), label) -
                     operand.labels.begin());
    }
  }
  const ValueId x = EmitTranspose(context, operand.value, perm);
  if (rows.size() == 1 && columns.size() == 1) return x;
  const auto first = static_cast<int64_t>(batch.size());
  const auto product = [&](int64_t begin, size_t count) {
    std::vector<int64_t> axes;
    for (size_t i = 0; i < count; ++i) axes.push_back(begin + static_cast<int64_t>(i));
    if (axes.empty()) return context.Int64s({1});
    fb::ReduceT fields;
    fields.kind = fb::ReduceKind::Prod;
    return context.Emit(std::move(fields), {SizesOf(context, x, axes)});
  };
  std::vector<ValueId> sizes;
  if (!batch.empty()) {
    std::vector<int64_t> axes;
    for (int64_t i = 0; i < first; ++i) axes.push_back(i);
    sizes.push_back(SizesOf(context, x, axes));
  }
  sizes.push_back(product(first, rows.size()));
  sizes.push_back(product(first + static_cast<int64_t>(rows.size()), columns.size()));
  return context.Emit(fb::ReshapeT(), {x, EmitConcat(context, 0, std::move(sizes))});
}

// Axes of "..." broadcast, so those of size 1 in one operand alone go: they are the other's.
void DropUnitAxes(ImportContext& context, Operand* a, const Operand& b) {
  const runtime::Type type = context.type(a->value);
  const runtime::Type other = context.type(b.value);
  fb::SqueezeT fields;
  Labels kept;
  for (size_t i = 0; i < a->labels.size(); ++i) {
    const auto at = std::find(b.labels.begin(), b.labels.end(), a->labels[i]);
    const bool unit =
        at != b.labels.end() && type.ranked && other.ranked && type.shape[i] == 1 &&
        other.shape[static_cast<size_t>(at - b.labels.begin())] != 1;
    if (unit) {
      fields.axes.push_back(static_cast<int64_t>(i));
    } else {
      kept.push_back(a->labels[i]);
    }
  }
  if (fields.axes.empty()) return;
  a->value = context.Emit(std::move(fields), {a->value});
  a->labels = kept;
}

Operand Product(ImportContext& context, Operand a, Operand b, const std::set<int>& wanted) {
  DropUnitAxes(context, &a, b);
  DropUnitAxes(context, &b, a);
  std::set<int> wanted_of_a = wanted, wanted_of_b = wanted;
  wanted_of_a.insert(b.labels.begin(), b.labels.end());
  wanted_of_b.insert(a.labels.begin(), a.labels.end());
  SumAway(context, &a, wanted_of_a);
  SumAway(context, &b, wanted_of_b);
  const Groups groups = GroupsOf(a, b, wanted);
  const ValueId left = Arranged(context, a, groups.batch, groups.left, groups.summed);
  const ValueId right = Arranged(context, b, groups.batch, groups.summed, groups.right);
  Operand result{context.Emit(fb::MatMulT(), {left, right}), groups.batch};
  result.labels.insert(result.labels.end(), groups.left.begin(), groups.left.end());
  result.labels.insert(result.labels.end(), groups.right.begin(), groups.right.end());
  if (groups.left.size() == 1 && groups.right.size() == 1) return result;
  std::vector<ValueId> sizes;
  for (const int label : result.labels) {
    const Operand& from = Has(a.labels, label) ? a : b;
    const auto axis = std::find(from.labels.begin(), from.labels.end(), label);
    sizes.push_back(SizesOf(context, from.value, {axis - from.labels.begin()}));
  }
  const ValueId shape = sizes.empty() ? context.Int64s({})
                                      : EmitConcat(context, 0, std::move(sizes));
  result.value = context.Emit(fb::ReshapeT(), {result.value, shape});
  return result;
}

}  // namespace

Status ImportEinsum(ImportContext& context) {
  Equation equation = Parse(context);
  if (!context.ok()) return context.status();
  for (Operand& operand : equation.operands) TakeDiagonals(context, &operand);
  Operand result = equation.operands[0];
  for (size_t i = 1; i < equation.operands.size(); ++i) {
    std::set<int> wanted(equation.output.begin(), equation.output.end());
    for (size_t later = i + 1; later < equation.operands.size(); ++later) {
      const Labels& labels = equation.operands[later].labels;
      wanted.insert(labels.begin(), labels.end());
    }
    result = Product(context, result, equation.operands[i], wanted);
  }
  SumAway(context, &result, {equation.output.begin(), equation.output.end()});
  std::vector<int64_t> perm;
  for (const int label : equation.output) {
    perm.push_back(std::find(result.labels.begin(), result.labels.end(), label) -
                   result.labels.begin());
  }
  return context.Done(EmitTranspose(context, result.value, perm));
}

}  // namespace pleat::converter
