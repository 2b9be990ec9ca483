"""Executors: who computes the cells of a plan.

work      what is computed: shards, each some parts of one cell
schedule  which shard an idle worker takes next
expected  how long it will take
worker    one process with one loaded model at a time, which answers, scores and stores shards
base      what every executor offers, and what it tells
here      a worker in this very process: the default
cluster   a Ray cluster, and what its nodes have room for; ray, ray_worker, ray_judge: the executor, its actors
"""
