"""The models on salabim, as its own examples write them: a component for each customer and node.

Usage: salabim_models.py mmc|heartbeats SIZE SEED; prints one JSON object.
"""
import json, random, sys, time

import salabim as sim

sim.yieldless(False)

SERVERS, ARRIVALS, SERVICES = 8, 5.6, 1.0
PERIOD, HOUR, LOOK, GRACE, LATENCY = 10.0, 3600.0, 5.0, 40.0, 0.005


def mmc(customers, dice):
    env = sim.Environment(trace=False)
    servers = sim.Resource("servers", capacity=SERVERS)
    waits = []

    class Customer(sim.Component):
        def process(self):
            came = env.now()
            yield self.request(servers)
            waits.append(env.now() - came)
            yield self.hold(dice.expovariate(SERVICES))
            self.release()

    class Source(sim.Component):
        def process(self):
            for _ in range(customers):
                yield self.hold(dice.expovariate(ARRIVALS))
                Customer()

    Source()
    env.run()
    return 2 * customers, sum(waits) / len(waits), len(waits)


def heartbeats(nodes, dice):
    env = sim.Environment(trace=False)
    heard = [0.0] * nodes
    lost = []
    events = [0]

    class Heartbeat(sim.Component):
        def setup(self, number):
            self.number = number

        def process(self):
            yield self.hold(dice.random() * LATENCY)
            events[0] += 1
            heard[self.number] = env.now()

    class Node(sim.Component):
        def setup(self, number):
            self.number = number

        def process(self):
            fails = dice.random() * (HOUR - 2 * GRACE) if dice.random() < 0.01 else float("inf")
            yield self.hold(dice.random() * PERIOD)
            while env.now() < fails:
                events[0] += 1
                Heartbeat(number=self.number)
                yield self.hold(PERIOD)

    class Monitor(sim.Component):
        def process(self):
            while True:
                yield self.hold(LOOK)
                events[0] += 1
                for number, last in enumerate(heard):
                    if env.now() - last > GRACE:
                        lost.append(env.now() - last)
                        heard[number] = float("inf")

    for number in range(nodes):
        Node(number=number)
    Monitor()
    env.run(till=HOUR)
    return events[0], sum(lost) / max(1, len(lost)), len(lost)


if __name__ == "__main__":
    model, size, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    dice = random.Random(seed)
    begun = time.process_time()
    events, mean, count = {"mmc": mmc, "heartbeats": heartbeats}[model](size, dice)
    took = time.process_time() - begun
    print(json.dumps({"events": events, "mean": mean, "count": count, "seconds": took}))
