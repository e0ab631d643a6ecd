// One net by itself, from its state in memory back to it: what a thread of a GPU does. On a host it runs in the tests alone.
#pragma once

#include "streams.hpp"

namespace TIMING_TASKS_ISA {

// The plainest step for nets that need `together`; see Need.
template <int NEEDS>
TIMING_TASKS_INLINE void advance_net(const Population& population, std::int64_t replica, std::int64_t net_steps) {
    constexpr int KEPT = NEEDS & FULL_GRADIENT ? TRACES : TRUNCATED_TRACES;
    Lanes<1, 1> lane;
    Net net;
    Lesson<1, 1> lesson;
    const Seat<1, 1> seat{lane, net, 0};
    Streams<1, 1> streams(population);
    streams.template load<KEPT>(seat, replica);
    std::int64_t done = 0;
    while (done < net_steps && net.verdict == Verdict::RUNNING) {
        const Events events = step<NEEDS>(lane, lesson, NothingMeanwhile());
        Learning<1, 1, NEEDS>{lane, lesson}.template part<0, 1>();
        ++done;
        if (events.any()) streams.attend(seat, events.wrong, events.not_finite, net.net_steps + done);
    }
    net.net_steps += done;
    net.squared_error = lane.squared_error[0];
    streams.template unload<KEPT>(seat);
}

}  // namespace TIMING_TASKS_ISA
