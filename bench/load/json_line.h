#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace gev::load {

// Composes one JSON object of texts, numbers and lists of numbers. Names are plain ASCII
// identifiers; values are escaped.
class JsonLine {
 public:
  JsonLine& Add(std::string_view name, std::string_view value);
  JsonLine& Add(std::string_view name, uint64_t value);
  JsonLine& Add(std::string_view name, double value);  // three decimals
  JsonLine& Add(std::string_view name, std::span<const double> values);

  [[nodiscard]] std::string Text() const { return text_ + "}"; }

 private:
  JsonLine& AddRaw(std::string_view name, std::string_view json);

  std::string text_ = "{";
};

}  // namespace gev::load
