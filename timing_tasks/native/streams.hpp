// A net's way through its streams (PAPER.md 3): what follows on a wrong prediction or the end of a period, and what is drawn.
#pragma once

#include <array>
#include <cstring>

#include "step.hpp"

namespace TIMING_TASKS_ISA {

constexpr int MOST_AHEAD = 16;  // draws kept at a time

// What only the stream logic of a lane needs.
struct Net {
    std::int64_t replica = -1;  // -1: an idle lane
    const Condition* condition;
    Key key;
    std::int64_t quantum;  // net-steps until the replica goes back to the queue
    Verdict verdict;
    Phase phase;
    std::int64_t training_streams, test_stream, period, targets, training_size, test_size, net_steps;
    double squared_error;  // of a finished replica
    double noise;          // half the width of the noise that is added to the initial state in training
    std::int64_t steps_in_period;        // F + I(n) of the present period
    std::int64_t flags, training_flags;  // of the lane: always, and in training
    std::int64_t targets_in_period;  // all steps, or the last
    bool drawn_periods, dense_targets, changes_between_streams;
    double carried_s, carried_y;  // where the next training stream begins, if the protocol has it so
    std::array<std::uint16_t, MOST_AHEAD> drawn;  // the offsets, by position, of the draws around the present one
};

// A lane with the net that sits there.
template <int W, int G>
struct Seat {
    Lanes<W, G>& pack;
    Net& net;
    int lane;

    TIMING_TASKS_INLINE void put(std::int64_t* row, std::int64_t value) const {
        Register<W>::put(row + lane / W * W, lane % W, value);
    }
    TIMING_TASKS_INLINE void put(double* row, double value) const {
        std::int64_t bits;
        std::memcpy(&bits, &value, sizeof bits);
        put(reinterpret_cast<std::int64_t*>(row), bits);
    }
};

template <int W, int G>
class Streams {
public:
    using At = Seat<W, G>;

    explicit Streams(const Population& population) : population_(population) {}

    // A lane at rest computes on, but sees no spike, no target and no event, and moves nothing.
    void rest(const At& seat) {
        seat.put(seat.pack.flags, 0);
        seat.put(seat.pack.steps_left, 0);
        seat.pack.waveform[seat.lane] = nullptr;
    }

    // Most of what happens next is a coin toss to a branch predictor, so it is computed without branches; what is left as one
    // is rare, or the same for every net of a task.
    TIMING_TASKS_INLINE void attend(const At& seat, bool wrong, bool not_finite, std::int64_t net_steps) {
        Net& net = seat.net;
        Lanes<W, G>& pack = seat.pack;
        if (not_finite) {
            net.verdict = Verdict::DIVERGED;
            return;
        }
        const Condition& condition = *net.condition;
        const std::int64_t training = net.phase == Phase::TRAINING, right = !wrong;
        const std::int64_t limit = pick(training, condition.training_periods, condition.test_periods);
        // Periods that are drawn are counted one by one, the others by the lane's countdown.
        if (net.drawn_periods) {
            net.period += right;
            net.targets += right * net.targets_in_period;
            if (right & (net.period < limit)) return begin_period(seat);
        } else {
            const std::int64_t at_end = pack.steps_left[seat.lane] == net.steps_in_period;
            net.period = limit - pack.periods_left[seat.lane] - (wrong & at_end);
            net.targets += net.period * net.targets_in_period;
        }
        // The stream has ended.
        net.training_size = pick(training, net.period, net.training_size);
        net.test_size = pick(training, net.test_size, net.period);
        net.training_streams += training;
        const std::int64_t between = condition.training_between_tests;
        net.test_stream = pick(training, net.test_stream & -between, (net.test_stream + right) & ~-(between & (1 - right)));
        net.targets &= training - 1;
        if ((1 - training) & right & (net.test_stream == condition.test_streams)) {
            net.verdict = Verdict::SOLVED;
            return;
        }
        const std::int64_t train_next = (1 - training) & (between | (1 - right));
        if ((1 - training) & (1 - right) & ((net.training_streams >= condition.budget_training_streams) | (net_steps >= condition.budget_net_steps))) {
            net.verdict = Verdict::UNSOLVED;
            return;
        }
        net.phase = static_cast<Phase>(1 - train_next);
        net.period = 0;
        if (net.changes_between_streams) change_between_streams(seat, training, train_next);
        begin_stream(seat, FIRST_STEP);
        begin_period(seat);
    }

    // What the protocol has done to weights, deltas and state at the end of a training stream, and before the next one.
    __attribute__((noinline)) void change_between_streams(const At& seat, bool trained, bool train_next) {
        const Condition& condition = *seat.net.condition;
        const double carried = (condition.update_per_stream ? condition.momentum : 1.0) * condition.momentum_carried_over;
        for (int w = 0; w < WEIGHTS; ++w) {
            double& delta = seat.pack.delta[w][seat.lane];
            if (trained && condition.update_per_stream && !condition.frozen_weights) seat.pack.weight[w][seat.lane] += delta;
            if (train_next) delta *= carried;
        }
        if (trained && condition.state_carried_over) {
            seat.net.carried_s = seat.pack.s[seat.lane];
            seat.net.carried_y = seat.pack.y[seat.lane];
        }
    }

    static std::int64_t pick(std::int64_t condition, std::int64_t yes, std::int64_t no) {
        return no ^ ((yes ^ no) & -condition);
    }

    TIMING_TASKS_INLINE void begin_stream(const At& seat, std::int64_t first_step) {
        const Net& net = seat.net;
        const std::int64_t training = net.phase == Phase::TRAINING;
        seat.put(seat.pack.flags, net.flags | first_step | (net.training_flags & -training));
        if (net.noise > 0.0) {
            const std::array<double, 2> noise = draw_noise(net.key, net.training_streams);
            seat.put(seat.pack.noise_s, training ? net.noise * noise[0] : 0.0);
            seat.put(seat.pack.noise_y, training ? net.noise * noise[1] : 0.0);
        } else if (net.condition->state_carried_over) {
            seat.put(seat.pack.noise_s, training ? net.carried_s : 0.0);
            seat.put(seat.pack.noise_y, training ? net.carried_y : 0.0);
        }
        if (!net.drawn_periods)
            seat.put(seat.pack.periods_left,
                pick(training, net.condition->training_periods, net.condition->test_periods) - net.period);
    }

    // The offset I(n) of the present period; NMSD tests every offset in turn.
    TIMING_TASKS_INLINE std::int64_t offset(Net& net, bool refresh) {
        const Condition& condition = *net.condition;
        const std::int64_t* offsets = population_.offsets + condition.first_offset;
        if (condition.offsets == 1) return offsets[0];
        const std::int64_t test = net.phase == Phase::TEST, exhaustive = single_period(condition);
        const std::int64_t drawn_test = test & ~exhaustive;
        const std::int64_t at = pick(exhaustive, net.training_streams % MOST_AHEAD, net.period % 4);
        if (refresh | (at == 0 && !(exhaustive & test))) draw_ahead(net, drawn_test);
        return offsets[pick(test & exhaustive, net.test_stream, net.drawn[at])];
    }

    // Draws a few at a time: several blocks where streams share them, one where a stream may end before it needs another.
    __attribute__((noinline)) void draw_ahead(Net& net, std::int64_t test) {
        const Condition& condition = *net.condition;
        const bool shared = single_period(condition);
        std::int64_t stream = net.training_streams, period = net.period;
        std::int64_t& draw = shared ? stream : period;
        const int ahead = shared ? MOST_AHEAD : 4;
        draw -= draw % ahead;
        for (int at = 0; at < ahead; draw += 4)
            for (std::uint64_t word : draw_block(condition, net.key, static_cast<Purpose>(test), stream, net.test_stream & -test, period))
                net.drawn[at++] = static_cast<std::uint16_t>((word * static_cast<std::uint64_t>(condition.offsets)) >> 32);
    }

    TIMING_TASKS_INLINE void begin_period(const At& seat, bool refresh = false) {
        Net& net = seat.net;
        const std::int64_t drawn = offset(net, refresh);
        net.steps_in_period = net.condition->min_interval + drawn + (net.period == 0 ? net.condition->first_spike_later : 0);
        net.targets_in_period = net.dense_targets ? net.steps_in_period : 1;
        seat.put(seat.pack.steps_left, net.steps_in_period);
        if (net.condition->task == Task::GTS) {
            const bool at_start = net.condition->input_at_start;
            const double throughout = at_start ? 0.0 : static_cast<double>(drawn);
            seat.put(seat.pack.input_before, throughout);
            seat.put(seat.pack.input_at_end, throughout);
            if (at_start) {
                seat.put(seat.pack.input_at_start, static_cast<double>(drawn));
                seat.put(seat.pack.start, net.steps_in_period);
            }
        } else if (net.condition->task != Task::PFG) {
            seat.put(seat.pack.target_at_end, static_cast<double>(drawn));
        }
    }

private:
    const Population& population_;
};

}  // namespace TIMING_TASKS_ISA
