// Keeps any value in the context of an autograd function, which itself can store only tensors and plain
// numbers.
#pragma once

#include <torch/autograd.h>
#include <torch/custom_class.h>
#include <utility>

namespace nnpal {

template <class Value> class AutogradValue : public torch::CustomClassHolder {
public:
  explicit AutogradValue(Value value) : value_(std::move(value)) {}

  static void save(torch::autograd::AutogradContext *context, const Value &value)
  {
    context->saved_data["held"] = c10::IValue::make_capsule(c10::make_intrusive<AutogradValue>(value));
  }

  static const Value &saved(torch::autograd::AutogradContext *context)
  {
    return static_cast<const AutogradValue &>(*context->saved_data["held"].toCapsule()).value_;
  }

private:
  Value value_;
};

}    // namespace nnpal
