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
                if (net.quantum == 0 || !running) unload(seat(l));
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
            load(seat(l), turn);
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
    __attribute__((noinline)) std::int64_t advance(std::int64_t burst) {
        Lesson<W, G> lessons[PACKS];
        Events events[PACKS] = {};
        constexpr int last = PACKS - 1;
        lessons[last] = nothing_to_learn<W, G>();
        bool ended = false;
        std::int64_t done = 0;
        // While a pack steps, the one before it learns. What happened in that one is looked at after that: a mispredicted branch
        // then finds the next step already under way.
        for (; done < burst && !ended; ++done) {
            for (int now = 0, before = last; now <= last; before = now++) {
                events[now] = step<W, G, NEEDS>(packs_[now], lessons[now], {packs_[before], lessons[before]});
                if (events[before].any()) ended |= attend_all(events[before], packs_[before], nets_ + before * PACK, done + (before < now));
            }
        }
        Learning<W, G, NEEDS>{packs_[last], lessons[last]}.template part<0, 1>();
        attend_all(events[last], packs_[last], nets_ + last * PACK, done);
        return done;
    }

    // True if a replica is finished.
    __attribute__((noinline)) bool attend_all(const Events& events, Lanes<W, G>& pack, Net* nets, std::int64_t done) {
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

    void load(const At& seat, const Queue::Turn& turn) {
        const State& state = population_.state;
        const std::int64_t r = turn.replica;
        Net& net = seat.net;
        net.replica = r;
        net.key = population_.keys[r];
        net.condition = &population_.conditions[net.key.condition];
        net.quantum = turn.net_steps;
        net.verdict = static_cast<Verdict>(state.verdict[r]);
        net.phase = static_cast<Phase>(state.phase[r]);
        net.training_streams = state.training_streams[r];
        net.test_stream = state.test_stream[r];
        net.period = state.period[r];
        net.targets = state.targets[r];
        net.training_size = state.training_size[r];
        net.test_size = state.test_size[r];
        net.net_steps = state.net_steps[r];

        const Condition& condition = *net.condition;
        const bool spikes = condition.task != Task::PFG, dense = condition.task == Task::GTS || !spikes;
        net.drawn_periods = spikes && (condition.offsets > 1 || condition.first_spike_later);
        net.changes_between_streams = condition.update_per_stream || !condition.momentum_carried_over || condition.state_carried_over;
        net.dense_targets = dense;
        net.flags = (condition.peepholes ? PEEPHOLES : 0) | (condition.forget_gate ? FORGET_GATE : 0) |
                    (condition.sigmoid_output ? SIGMOID_OUTPUT : 0) | (condition.centred_logistic ? CENTRED_LOGISTIC : 0) | (dense ? DENSE_TARGETS : 0) |
                    (net.drawn_periods ? DRAWN_PERIODS : 0) | (condition.learn_cell_state ? LEARN_CELL_STATE : 0) |
                    (condition.learn_cell_output ? LEARN_CELL_OUTPUT : 0) |
                    (condition.update_without_target ? UPDATE_WITHOUT_TARGET : 0) |
                    (condition.update_when_wrong ? UPDATE_WHEN_WRONG : 0);
        net.training_flags = TRAINING | (condition.frozen_weights || condition.update_per_stream ? 0 : MOVING);
        seat.pack.learning_rate[seat.lane] = condition.learning_rate;
        // A change per stream sums up the stream's gradients; the momentum is applied between streams.
        seat.pack.momentum[seat.lane] = condition.update_per_stream ? 1.0 : condition.momentum;
        seat.pack.tolerance[seat.lane] = condition.tolerance;
        net.noise = condition.initial_noise;
        net.carried_s = state.carried_state[r];
        net.carried_y = state.carried_output[r];
        seat.pack.noise_s[seat.lane] = seat.pack.noise_y[seat.lane] = 0.0;
        seat.pack.input_at_start[seat.lane] = 0.0;
        seat.pack.start[seat.lane] = 0;
        seat.pack.input_before[seat.lane] = seat.pack.target_before[seat.lane] = 0.0;
        seat.pack.input_at_end[seat.lane] = spikes && !dense;
        seat.pack.target_at_end[seat.lane] = spikes;
        // Counting down from min_interval to 1 reads the targets first to last.
        static_assert(sizeof(std::ptrdiff_t) == 8);
        seat.pack.waveform[seat.lane] = spikes ? nullptr : population_.targets + condition.first_target - 1;
        streams_.begin_stream(seat, net.period == 0 && state.step[r] == 0 ? FIRST_STEP : 0);
        streams_.begin_period(seat, true);
        seat.pack.period_length[seat.lane] = net.steps_in_period;
        if (!net.drawn_periods) net.targets -= net.period * net.targets_in_period;  // the countdown has them
        seat.pack.steps_left[seat.lane] -= state.step[r];
        seat.pack.y[seat.lane] = state.cell_output[r];
        seat.pack.s[seat.lane] = state.cell_state[r];
        seat.pack.squared_error[seat.lane] = state.squared_error[r];
        for (int w = 0; w < WEIGHTS; ++w) {
            seat.pack.weight[w][seat.lane] = state.weights[r * WEIGHTS + w];
            seat.pack.delta[w][seat.lane] = state.deltas[r * WEIGHTS + w];
        }
        for (int t = 0; t < TRACES; ++t) seat.pack.any_trace(t)[seat.lane] = state.traces[r * TRACES + t];
    }

    void unload(const At& seat) {
        const State& state = population_.state;
        Net& net = seat.net;
        const std::int64_t r = net.replica;
        if (!net.drawn_periods && net.verdict == Verdict::RUNNING) {
            net.period = (net.phase == Phase::TRAINING ? net.condition->training_periods : net.condition->test_periods) -
                         seat.pack.periods_left[seat.lane];
            net.targets += net.period * net.targets_in_period;
        }
        state.verdict[r] = static_cast<std::int64_t>(net.verdict);
        state.phase[r] = static_cast<std::int64_t>(net.phase);
        state.training_streams[r] = net.training_streams;
        state.test_stream[r] = net.test_stream;
        state.period[r] = net.period;
        state.targets[r] = net.targets;
        state.training_size[r] = net.training_size;
        state.test_size[r] = net.test_size;
        state.net_steps[r] = net.net_steps;
        const bool running = net.verdict == Verdict::RUNNING;
        state.step[r] = running ? net.steps_in_period - seat.pack.steps_left[seat.lane] : 0;
        state.cell_output[r] = running ? seat.pack.y[seat.lane] : 0.0;
        state.cell_state[r] = running ? seat.pack.s[seat.lane] : 0.0;
        state.squared_error[r] = running ? seat.pack.squared_error[seat.lane] : net.squared_error;
        for (int w = 0; w < WEIGHTS; ++w) {
            state.weights[r * WEIGHTS + w] = seat.pack.weight[w][seat.lane];
            state.deltas[r * WEIGHTS + w] = seat.pack.delta[w][seat.lane];
        }
        for (int t = 0; t < TRACES; ++t) state.traces[r * TRACES + t] = running ? seat.pack.any_trace(t)[seat.lane] : 0.0;
        state.carried_state[r] = net.carried_s;
        state.carried_output[r] = net.carried_y;
        if (running) queue_.give_back(r, net.net_steps);
        net.replica = -1;
        streams_.rest(seat);
    }

    const Population& population_;
    Queue& queue_;
    Streams<W, G> streams_;
    const int capacity_;
    Lanes<W, G> packs_[PACKS];
    Net nets_[LANES];
};

}  // namespace TIMING_TASKS_ISA
