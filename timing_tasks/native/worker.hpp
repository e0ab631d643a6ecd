// One thread's work: keep the lanes filled with replicas, step them, and lead each through its streams (PAPER.md 3).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>

#include "queue.hpp"
#include "step.hpp"
#include "streams.hpp"

namespace TIMING_TASKS_ISA {

template <int W, int G>
class Worker {
public:
    static constexpr int PACK = W * G, PACKS = 2, LANES = PACKS * PACK;

    Worker(const Population& population, Queue& queue, int capacity)
        : population_(population),
          queue_(queue),
          streams_(population),
          capacity_(std::min(capacity, LANES)) {
        std::memset(static_cast<void*>(packs_), 0, sizeof packs_);
    }

    void run() {
        while (fill()) {
            int together = 0;
            std::int64_t burst = INT64_MAX;
            for (int l = 0; l < LANES; ++l) {
                if (nets_[l].replica < 0) continue;
                together |= needs(*nets_[l].condition);
                burst = std::min(burst, nets_[l].quantum);
            }
            const std::int64_t steps = advance(together, burst);
            for (int l = 0; l < LANES; ++l) {
                Net& net = nets_[l];
                if (net.replica < 0) continue;
                const bool running = net.verdict == Verdict::RUNNING;
                if (running) net.net_steps += steps;
                net.quantum -= steps;
                if (net.quantum > 0 && running) continue;
                if (running) queue_.give_back(net.replica, net.net_steps);
                streams_.unload(seat(l));
            }
        }
    }

private:
    using At = Seat<W, G>;

    At seat(int l) { return {packs_[l / PACK], nets_[l], l % PACK}; }

    // Gives free lanes a replica; false when there is nothing left to do.
    bool fill() {
        int busy = 0, together = 0;
        for (int l = 0; l < LANES; ++l) {
            if (nets_[l].replica < 0) continue;
            ++busy;
            together |= needs(*nets_[l].condition);
        }
        for (int l = 0; l < LANES && busy < capacity_; ++l) {
            if (nets_[l].replica >= 0) continue;
            const Queue::Turn turn = busy ? queue_.take_beside(together) : queue_.take();
            if (turn.replica < 0) break;
            streams_.load(seat(l), turn.replica);
            nets_[l].quantum = turn.net_steps;
            together |= needs(*nets_[l].condition);
            ++busy;
        }
        return busy > 0;
    }

    // Steps all lanes until one ends its replica or `burst` steps are done, with the plainest step that serves them all.
    std::int64_t advance(int together, std::int64_t burst) {
        switch (together) {
            case 0: return advance<0>(burst);
            case EXTENDED: return advance<EXTENDED>(burst);
            case WAVEFORM: return advance<WAVEFORM>(burst);
            case EXTENDED | WAVEFORM: return advance<EXTENDED | WAVEFORM>(burst);
            case SQUASHED: return advance<SQUASHED>(burst);
            case SQUASHED | EXTENDED: return advance<SQUASHED | EXTENDED>(burst);
            case SQUASHED | WAVEFORM: return advance<SQUASHED | WAVEFORM>(burst);
            case SQUASHED | EXTENDED | WAVEFORM: return advance<SQUASHED | EXTENDED | WAVEFORM>(burst);
            default: return advance<EVERYTHING>(burst);
        }
    }

    template <int NEEDS>
    TIMING_TASKS_NOINLINE std::int64_t advance(std::int64_t burst) {
        Lesson<W, G> lessons[PACKS];
        Events events[PACKS] = {};
        constexpr int last = PACKS - 1;
        bool ended = false;
        std::int64_t done = 0;
        // While a pack steps, the one before it learns. What happened in that one is looked at after that: a mispredicted branch
        // then finds the next step already under way.
        for (; done < burst && !ended; ++done) {
            for (int now = 0, before = last; now <= last; before = now++) {
                if (done + now == 0) {
                    events[now] = begin<NEEDS>(lessons[now]);
                    continue;
                }
                events[now] = step<NEEDS>(packs_[now], lessons[now], Learning<W, G, NEEDS>{packs_[before], lessons[before]});
                if (events[before].any()) ended |= attend_all(events[before], packs_[before], nets_ + before * PACK, done + (before < now));
            }
        }
        Learning<W, G, NEEDS>{packs_[last], lessons[last]}.template part<0, 1>();
        attend_all(events[last], packs_[last], nets_ + last * PACK, done);
        return done;
    }

    // The first step of all: no pack has anything to learn yet.
    template <int NEEDS>
    TIMING_TASKS_NOINLINE Events begin(Lesson<W, G>& lesson) {
        return step<NEEDS>(packs_[0], lesson, NothingMeanwhile());
    }

    // True if a replica is finished.
    TIMING_TASKS_NOINLINE bool attend_all(const Events& events, Lanes<W, G>& pack, Net* nets, std::int64_t done) {
        bool ended = false;
        for (unsigned left = events.wrong | events.period_end; left; left &= left - 1) {
            const int lane = __builtin_ctz(left);
            Net& net = nets[lane];
            const At seat{pack, net, lane};
            streams_.attend(seat, (events.wrong >> lane) & 1, (events.not_finite >> lane) & 1, net.net_steps + done);
            if (net.verdict == Verdict::RUNNING) continue;
            ended = true;
            net.net_steps += done;
            net.squared_error = pack.squared_error[lane];
            streams_.rest(seat);
        }
        return ended;
    }

    const Population& population_;
    Queue& queue_;
    Streams<W, G> streams_;
    const int capacity_;
    Lanes<W, G> packs_[PACKS];
    Net nets_[LANES];
};

}  // namespace TIMING_TASKS_ISA
