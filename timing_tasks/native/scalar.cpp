// The benchmark's yardstick: the same rule, streams and control flow as the engine, one net at a time, as one would
// write it in plain C with the standard library's exp. A test holds its verdicts against the engine's.
#include <cmath>

#include "engine.hpp"

namespace scalar {

using namespace timing_tasks;

namespace {

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

struct Net {
    double w[WEIGHTS], delta[WEIGHTS], trace[GATE_TRACES], y, s;

    // The network's output; the gates and the cell input are kept for learn().
    double i, f, g, o, h, s_old, y_old;
    double forward(const Condition& condition, double x) {
        s_old = s;
        y_old = y;
        const double seen = condition.peepholes ? s_old : 0.0;
        i = sigmoid(w[W_IX] * x + w[W_IH] * y_old + w[B_I] + w[P_I] * seen);
        f = condition.forget_gate ? sigmoid(w[W_FX] * x + w[W_FH] * y_old + w[B_F] + w[P_F] * seen) : 1.0;
        g = w[W_CX] * x + w[W_CH] * y_old + w[B_C];
        s = f * s_old + i * g;
        o = sigmoid(w[W_OX] * x + w[W_OH] * y_old + w[B_O] + w[P_O] * (condition.peepholes ? s : 0.0));
        h = condition.centred_logistic ? 2.0 * sigmoid(s) - 1.0 : s;
        y = o * h;
        const double net = w[W_KH] * y + w[B_K];
        return condition.sigmoid_output ? sigmoid(net) : net;
    }

    void learn(const Condition& condition, double x, double z, double error) {
        const double seen = condition.peepholes ? s_old : 0.0, seen_new = condition.peepholes ? s : 0.0;
        const double by_i = g * i * (1.0 - i), by_f = s_old * f * (1.0 - f);
        const double change[GATE_TRACES] = {by_i * x, by_i * y_old, by_i,      by_i * seen, by_f * x, by_f * y_old,
                                            by_f,     by_f * seen,  i * x,     i * y_old,   i};
        for (int k = 0; k < GATE_TRACES; ++k) trace[k] = f * trace[k] + change[k];
        const double at_k = condition.learning_rate * error * (condition.sigmoid_output ? z * (1.0 - z) : 1.0);
        const double at_y = at_k * w[W_KH], at_o = at_y * h * o * (1.0 - o);
        const double at_s = at_y * o * (condition.centred_logistic ? 0.5 * (1.0 - h * h) : 1.0);
        const double descent[6] = {at_o * x, at_o * y_old, at_o, at_o * seen_new, at_k * y, at_k};
        for (int k = 0; k < GATE_TRACES; ++k) {
            delta[k] = condition.momentum * delta[k] + at_s * trace[k];
            w[k] += delta[k];
        }
        for (int k = 0; k < 6; ++k) {
            delta[W_OX + k] = condition.momentum * delta[W_OX + k] + descent[k];
            w[W_OX + k] += delta[W_OX + k];
        }
    }

    void start_stream() {
        y = s = 0.0;
        for (double& t : trace) t = 0.0;
    }
};

std::int64_t draw(const Population& p, const Condition& condition, const Key& key, bool training, std::int64_t stream,
                  std::int64_t test_stream, std::int64_t period, std::array<std::uint32_t, 4>& block) {
    const std::int64_t* offsets = p.offsets + condition.first_offset;
    if (condition.task == Task::NMSD && !training) return offsets[test_stream];
    if (condition.offsets == 1) return offsets[0];
    const std::int64_t word = (single_period(condition) ? stream : period) % 4;
    if (word == 0)
        block = draw_block(condition, key, training ? Purpose::TRAINING : Purpose::TEST, stream, training ? 0 : test_stream, period);
    return offsets[(block[word] * static_cast<std::uint64_t>(condition.offsets)) >> 32];
}

}  // namespace

// Runs every replica from its start until it is finished or has done `net_steps`, whichever comes first at the end of a
// test; counts and verdicts are written to the state, nothing else of it but the weights is read.
void run(const Population& p, std::int64_t net_steps) {
    for (std::int64_t r = 0; r < p.replicas; ++r) {
        const Key& key = p.keys[r];
        const Condition& condition = p.conditions[key.condition];
        Net net{};
        for (int k = 0; k < WEIGHTS; ++k) net.w[k] = p.state.weights[r * WEIGHTS + k];
        std::int64_t stream = 0, steps = 0;
        Verdict verdict = Verdict::RUNNING;
        std::array<std::uint32_t, 4> block{};
        // One stream; true if no prediction was wrong.
        const auto run_stream = [&](bool training, std::int64_t test_stream) {
            net.start_stream();
            const std::int64_t periods = training ? condition.training_periods : condition.test_periods;
            for (std::int64_t period = 0; period < periods; ++period) {
                const std::int64_t offset = draw(p, condition, key, training, stream, test_stream, period, block);
                for (std::int64_t left = condition.min_interval + offset; left > 0; --left) {
                    const bool spike = left == 1;
                    double x = 0.0, d = spike;
                    bool has_target = true;
                    if (condition.task == Task::GTS) {
                        x = static_cast<double>(offset);
                    } else if (condition.task == Task::PFG) {
                        d = p.targets[condition.first_target + left - 1];
                    } else {
                        x = spike;
                        d = static_cast<double>(offset);
                        has_target = spike;
                    }
                    const double z = net.forward(condition, x), error = has_target ? d - z : 0.0;
                    ++steps;
                    if (training) net.learn(condition, x, z, error);
                    if (!std::isfinite(error)) verdict = Verdict::DIVERGED;
                    if (has_target && !(std::fabs(error) < condition.tolerance)) return false;
                }
            }
            return true;
        };
        while (verdict == Verdict::RUNNING && steps < net_steps) {
            run_stream(true, 0);
            ++stream;
            std::int64_t right = 0;
            while (verdict == Verdict::RUNNING && right < condition.test_streams && run_stream(false, right)) ++right;
            if (verdict != Verdict::RUNNING) break;
            if (right == condition.test_streams) verdict = Verdict::SOLVED;
            else if (stream >= condition.budget_training_streams || steps >= condition.budget_net_steps)
                verdict = Verdict::UNSOLVED;
        }
        p.state.training_streams[r] = stream;
        p.state.net_steps[r] = steps;
        p.state.verdict[r] = static_cast<std::int64_t>(verdict);
        for (int k = 0; k < WEIGHTS; ++k) p.state.weights[r * WEIGHTS + k] = net.w[k];
    }
}

}  // namespace scalar
