"""The models on SimPy, as its own examples write them: a process for each customer and node.

Usage: simpy_models.py mmc|heartbeats SIZE SEED; prints one JSON object.
"""
import json, random, sys, time

import simpy

SERVERS, ARRIVALS, SERVICES = 8, 5.6, 1.0
PERIOD, HOUR, LOOK, GRACE, LATENCY = 10.0, 3600.0, 5.0, 40.0, 0.005


def mmc(customers, dice):
    env = simpy.Environment()
    servers = simpy.Resource(env, SERVERS)
    waits = []

    def customer():
        came = env.now
        with servers.request() as free:
            yield free
            waits.append(env.now - came)
            yield env.timeout(dice.expovariate(SERVICES))

    def source():
        for _ in range(customers):
            yield env.timeout(dice.expovariate(ARRIVALS))
            env.process(customer())

    env.process(source())
    env.run()
    return 2 * customers, sum(waits) / len(waits), len(waits)


def heartbeats(nodes, dice):
    env = simpy.Environment()
    heard = [0.0] * nodes
    lost = []
    events = [0]

    def deliver(number):
        yield env.timeout(dice.random() * LATENCY)
        events[0] += 1
        heard[number] = env.now

    def node(number):
        fails = dice.random() * (HOUR - 2 * GRACE) if dice.random() < 0.01 else float("inf")
        yield env.timeout(dice.random() * PERIOD)
        while env.now < fails:
            events[0] += 1
            env.process(deliver(number))
            yield env.timeout(PERIOD)

    def monitor():
        while True:
            yield env.timeout(LOOK)
            events[0] += 1
            for number, last in enumerate(heard):
                if env.now - last > GRACE:
                    lost.append(env.now - last)
                    heard[number] = float("inf")

    for number in range(nodes):
        env.process(node(number))
    env.process(monitor())
    env.run(until=HOUR)
    return events[0], sum(lost) / max(1, len(lost)), len(lost)


if __name__ == "__main__":
    model, size, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    dice = random.Random(seed)
    begun = time.process_time()
    events, mean, count = {"mmc": mmc, "heartbeats": heartbeats}[model](size, dice)
    took = time.process_time() - begun
    print(json.dumps({"events": events, "mean": mean, "count": count, "seconds": took}))
