#include "load/json_line.h"

#include <array>
#include <cmath>
#include <cstdio>

namespace gev::load {
namespace {

std::string ToJson(double value) {
  if (!std::isfinite(value)) return "null";
  std::array<char, 64> digits = {};
  std::snprintf(digits.data(), digits.size(), "%.3f", value);
  return digits.data();
}

}  // namespace

JsonLine& JsonLine::AddRaw(std::string_view name, std::string_view json) {
  if (text_.size() > 1) text_ += ',';
  text_.append("\"").append(name).append("\":").append(json);
  return *this;
}

JsonLine& JsonLine::Add(std::string_view name, std::string_view value) {
  std::string quoted = "\"";
  for (const char letter : value) {
    if (letter == '"' || letter == '\\') quoted += '\\';
    quoted += static_cast<unsigned char>(letter) < 0x20 ? ' ' : letter;
  }
  return AddRaw(name, quoted + '"');
}

JsonLine& JsonLine::Add(std::string_view name, uint64_t value) {
  return AddRaw(name, std::to_string(value));
}

JsonLine& JsonLine::Add(std::string_view name, double value) { return AddRaw(name, ToJson(value)); }

JsonLine& JsonLine::Add(std::string_view name, std::span<const double> values) {
  std::string list = "[";
  for (const double value : values) {
    if (list.size() > 1) list += ',';
    list += ToJson(value);
  }
  return AddRaw(name, list + ']');
}

}  // namespace gev::load
