/* Tabular Dyna-Q on a maze: the loop of compiled_runs.py in plain C, the baseline of its speed.
 * Built by c_dyna_q.py with gcc -O3 -march=native.
 *
 * The same generator (SFC64), the same two-level draw (a visited state, then an action tried in
 * it), the same epsilon-greedy choice with random ties: from the same seed, the same action values.
 */
#include <stdint.h>
#include <string.h>

enum { ACTIONS = 4, MAX_STATES = 4096 };

typedef struct { uint64_t a, b, c, counter; } sfc64;

static inline uint64_t next_word(sfc64 *rng) {
    uint64_t word = rng->a + rng->b + rng->counter++;
    rng->a = rng->b ^ (rng->b >> 11);
    rng->b = rng->c + (rng->c << 3);
    rng->c = ((rng->c << 24) | (rng->c >> 40)) + word;
    return word;
}

static inline uint64_t high_below(uint64_t word, uint64_t bound) { return ((word >> 32) * bound) >> 32; }
static inline uint64_t low_below(uint64_t word, uint64_t bound) { return ((uint32_t)word * bound) >> 32; }

static inline void q_update(double *q, uint32_t pair, double reward, uint32_t next, int terminated,
                            double learning_rate, double gamma) {
    const double *row = q + (uint64_t)next * ACTIONS;
    double best = row[0];
    for (int action = 1; action < ACTIONS; action++) if (row[action] > best) best = row[action];
    double discount = terminated ? 0.0 : gamma;
    q[pair] += learning_rate * (reward + discount * best - q[pair]);
}

static inline uint32_t choose(const double *row, double epsilon, sfc64 *rng) {
    uint64_t word = next_word(rng);
    if ((word >> 32) * 0x1p-32 < epsilon) return low_below(word, ACTIONS);
    double best = row[0];
    int ties = 1;
    for (int action = 1; action < ACTIONS; action++) {
        if (row[action] > best) { best = row[action]; ties = 1; }
        else if (row[action] == best) ties++;
    }
    int skip = low_below(word, ties);
    for (int action = 0; action < ACTIONS; action++)
        if (row[action] == best && skip-- == 0) return action;
    return 0;
}

/* next_state and reward: (states, ACTIONS); q: the same shape, changed in place. */
void dyna_q(int64_t steps, int planning_steps, double learning_rate, double gamma, double epsilon,
            const uint32_t *next_state, const double *reward, const uint8_t *terminated,
            uint32_t start, uint64_t *words, double *q) {
    static uint32_t visited[MAX_STATES], tried[MAX_STATES * ACTIONS], counts[MAX_STATES];
    static uint32_t model_next[MAX_STATES * ACTIONS];
    static double model_reward[MAX_STATES * ACTIONS];
    static uint8_t model_terminated[MAX_STATES * ACTIONS], known[MAX_STATES * ACTIONS];
    memset(counts, 0, sizeof counts);
    memset(known, 0, sizeof known);
    sfc64 rng = {words[0], words[1], words[2], words[3]};
    uint32_t num_visited = 0, state = start;
    for (int64_t step = 0; step < steps; step++) {
        uint32_t action = choose(q + state * ACTIONS, epsilon, &rng);
        uint32_t pair = state * ACTIONS + action, next = next_state[pair];
        q_update(q, pair, reward[pair], next, terminated[pair], learning_rate, gamma);
        if (!known[pair]) {
            known[pair] = 1;
            if (counts[state] == 0) visited[num_visited++] = state;
            tried[state * ACTIONS + counts[state]++] = action;
        }
        model_next[pair] = next;
        model_reward[pair] = reward[pair];
        model_terminated[pair] = terminated[pair];
        for (int i = 0; i < planning_steps; i++) {
            uint64_t word = next_word(&rng);
            uint32_t seen = visited[high_below(word, num_visited)];
            uint32_t drawn = seen * ACTIONS + tried[seen * ACTIONS + low_below(word, counts[seen])];
            q_update(q, drawn, model_reward[drawn], model_next[drawn], model_terminated[drawn],
                     learning_rate, gamma);
        }
        state = terminated[pair] ? start : next;
    }
    words[0] = rng.a, words[1] = rng.b, words[2] = rng.c, words[3] = rng.counter;
}
