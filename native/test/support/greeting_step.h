#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "reactor/connection.h"
#include "reactor/preface.h"

namespace test {

/// A step that asks for a word and answers it: done when the peer has sent exactly `word`, failed
/// at the first byte that is another.
class GreetingStep final : public reactor::PrefaceStep {
 public:
  explicit GreetingStep(std::string word, std::string answer = {})
      : word_(std::move(word)), answer_(std::move(answer)) {}

  Progress Advance(reactor::Connection& connection) noexcept override {
    ++advances;
    while (taken_ < word_.size()) {
      std::array<std::byte, 64> room{};
      const std::size_t wanted = std::min(word_.size() - taken_, room.size());
      const ssize_t peeked = connection.Peek(std::span(room).first(wanted));
      if (peeked == -EAGAIN) return Progress::kMore;
      if (peeked <= 0) return Progress::kFailed;
      const ssize_t count =
          connection.Take(std::span(room).first(static_cast<std::size_t>(peeked)));
      for (ssize_t i = 0; i < count; ++i) {
        const auto byte = static_cast<char>(room[static_cast<std::size_t>(i)]);
        if (byte != word_[taken_]) return Progress::kFailed;
        ++taken_;
      }
    }
    const std::span<const std::byte> part = std::as_bytes(std::span(answer_));
    connection.Send(std::span(&part, 1));
    return Progress::kDone;
  }
  [[nodiscard]] std::string detail() const override { return "no greeting"; }

  static inline int advances = 0;  // of all

 private:
  std::string word_;
  std::string answer_;
  std::size_t taken_ = 0;
};

/// A preface of such steps.
inline auto Greetings(std::initializer_list<std::pair<std::string, std::string>> words) {
  return [words = std::vector(words)] {
    auto preface = std::make_unique<reactor::Preface>();
    for (const auto& [word, answer] : words) {
      preface->Add(std::make_unique<GreetingStep>(word, answer));
    }
    return preface;
  };
}

}  // namespace test
