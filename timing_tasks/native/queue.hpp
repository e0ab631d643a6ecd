// Whose turn it is: each unfinished replica gets the same number of net-steps, in slices, from whichever thread is free.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "population.hpp"

namespace timing_tasks {

class Queue {
public:
    struct Turn {
        std::int64_t replica, net_steps;  // replica -1: nobody is waiting
    };

    // Every running replica of the population waits for `net_steps`. Slices even out the ends when the replicas are no
    // multiple of the lanes.
    Queue(const Population& population, std::int64_t net_steps)
        : population_(population),
          slice_(std::max<std::int64_t>(1024, net_steps / 16)),
          end_(static_cast<std::size_t>(population.replicas)) {
        for (std::int64_t r = 0; r < population.replicas; ++r) {
            if (population.state.verdict[r] != static_cast<std::int64_t>(Verdict::RUNNING)) continue;
            end_[static_cast<std::size_t>(r)] = population.state.net_steps[r] + net_steps;
            if (net_steps > 0) line_of(r).push_back({r, std::min(slice_, net_steps)});
        }
    }

    std::size_t waiting() const {
        std::size_t sum = 0;
        for (const std::deque<Turn>& line : waiting_) sum += line.size();
        return sum;
    }

    // For an idle worker: of the longest line, so that workers meet as few other needs as can be.
    Turn take() {
        const std::lock_guard<std::mutex> lock(mutex_);
        return first(*std::max_element(waiting_.begin(), waiting_.end(), [](const auto& a, const auto& b) { return a.size() < b.size(); }));
    }

    // Beside replicas that have these needs together: preferably one that makes their step no slower and does not come to a step
    // that is slower than its own. The full gradient and the others never share a step.
    Turn take_beside(int together) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (together == EVERYTHING || !waiting_[static_cast<std::size_t>(together)].empty())
            return first(waiting_[static_cast<std::size_t>(together)]);
        const auto other = std::find_if(waiting_.begin(), waiting_.end() - 1, [](const auto& line) { return !line.empty(); });
        return first(*other);
    }

    void give_back(std::int64_t replica, std::int64_t net_steps) {
        const std::int64_t left = end_[static_cast<std::size_t>(replica)] - net_steps;
        if (left <= 0) return;
        const std::lock_guard<std::mutex> lock(mutex_);
        line_of(replica).push_back({replica, std::min(slice_, left)});
    }

private:
    std::deque<Turn>& line_of(std::int64_t replica) {
        return waiting_[static_cast<std::size_t>(needs(population_.conditions[population_.keys[replica].condition]))];
    }

    static Turn first(std::deque<Turn>& line) {
        if (line.empty()) return {-1, 0};
        const Turn turn = line.front();
        line.pop_front();
        return turn;
    }

    const Population& population_;
    const std::int64_t slice_;
    std::vector<std::int64_t> end_;
    std::array<std::deque<Turn>, EVERYTHING + 1> waiting_;  // by what they need
    std::mutex mutex_;
};

}  // namespace timing_tasks
