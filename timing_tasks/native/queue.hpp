// Whose turn it is: each unfinished replica gets the same number of net-steps, in slices, from whichever thread is free.
#pragma once

#include <algorithm>
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
        : slice_(std::max<std::int64_t>(1024, net_steps / 16)), end_(static_cast<std::size_t>(population.replicas)) {
        for (std::int64_t r = 0; r < population.replicas; ++r) {
            if (population.state.verdict[r] != static_cast<std::int64_t>(Verdict::RUNNING)) continue;
            end_[static_cast<std::size_t>(r)] = population.state.net_steps[r] + net_steps;
            if (net_steps > 0) waiting_.push_back({r, std::min(slice_, net_steps)});
        }
    }

    std::size_t waiting() const { return waiting_.size(); }

    Turn take() {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (waiting_.empty()) return {-1, 0};
        const Turn turn = waiting_.front();
        waiting_.pop_front();
        return turn;
    }

    void give_back(std::int64_t replica, std::int64_t net_steps) {
        const std::int64_t left = end_[static_cast<std::size_t>(replica)] - net_steps;
        if (left <= 0) return;
        const std::lock_guard<std::mutex> lock(mutex_);
        waiting_.push_back({replica, std::min(slice_, left)});
    }

private:
    const std::int64_t slice_;
    std::vector<std::int64_t> end_;
    std::deque<Turn> waiting_;
    std::mutex mutex_;
};

}  // namespace timing_tasks
