#include "reactor/output_budget.h"

#include <new>
#include <utility>

namespace reactor {

std::size_t OutputBudget::Join(std::function<void()> shed) {
  members_.push_back(std::make_unique<Member>());
  members_.back()->shed = std::move(shed);
  return members_.size() - 1;
}

bool OutputBudget::IsTurnOf(std::size_t loop) {
  std::size_t most = loop;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (members_[i]->highest.load(std::memory_order_relaxed) >
        members_[most]->highest.load(std::memory_order_relaxed)) {
      most = i;
    }
  }
  if (most == loop) return true;
  Member& member = *members_[most];
  if (member.asked.exchange(true)) return false;
  try {
    member.shed();
  } catch (const std::bad_alloc&) {
    member.asked.store(false);  // it is asked at the next occasion
  }
  return false;
}

}  // namespace reactor
