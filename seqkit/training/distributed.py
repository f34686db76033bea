"""One training step shared by the replicas of a ``tf.distribute`` strategy.

Every replica takes its share of the global batch, gradients are summed, and each replica makes the
same update: the result is that of one device on the global batch, up to rounding (Goyal et al.
2017, section 3, with the loss of a share weighted by its part of the batch).
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from seqkit.training.feeds import Batch
from seqkit.training.optimizing import apply_gradients

__all__ = ["distributed_step"]


def distributed_step(program: Any, batch: Batch, rate: Any, clipnorm: Any, state: Any) -> Any:
    """Take one step on all replicas.

    Returns
    -------
    loss, count, state
        Sum of the loss over the examples of the global batch, their number, and the metrics' state
        with what the replicas found added. (Keras metrics hold sums; their change is additive.)
    """
    strategy = program.engine.strategy
    replicas = strategy.num_replicas_in_sync
    reduction = program.loss.reduction

    def replica(rate: Any, state: Any) -> Any:
        context = tf.distribute.get_replica_context()
        place = context.replica_id_in_sync_group

        def share(rows: Any) -> Any:
            mine = rows[place::replicas]
            # A last batch smaller than the replicas leaves some without: they compute one row
            # that counts for nothing, because everybody must take part in the sum.
            return tf.cond(tf.shape(mine)[0] > 0, lambda: mine, lambda: rows[:1])

        n = (batch.size - tf.cast(place, tf.int64) + replicas - 1) // replicas
        counts = tf.cast(n > 0, tf.float32)
        inputs, y, weight = batch.take(share)
        variables = [v.value for v in program.variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            for variable in variables:
                tape.watch(variable)
            prediction = program.model(inputs, training=True)
            loss, extra = program._losses(y, prediction, weight)
            if reduction == "mean_with_sample_weight" and weight is not None:
                everybody = batch.all()[2]  # only the weights are gathered: the rest is pruned
                part = counts * tf.reduce_sum(weight) / tf.reduce_sum(everybody)
            elif reduction == "sum":
                part = counts
            else:
                part = tf.cast(n, tf.float32) / tf.cast(batch.size, tf.float32)
            loss = loss * part + extra / replicas
        gradients = tape.gradient(loss, variables)
        present = [g for g in gradients if g is not None]
        summed = iter(context.all_reduce(tf.distribute.ReduceOp.SUM, present))
        gradients = [None if g is None else next(summed) for g in gradients]
        apply_gradients(
            program.optimizer, gradients, program.variables, rate, clipnorm, replicas=replicas
        )
        shown = tf.ones(tf.shape(y)[:1]) if weight is None else weight
        found = program._update_metrics(state, y, prediction, shown * counts)
        change = tf.nest.map_structure(lambda a, b: a - b, found, state)
        return tf.cast(loss, tf.float64), change

    loss, change = strategy.run(replica, args=(rate, state))
    total = tf.distribute.ReduceOp.SUM

    def summed(value: Any) -> Any:
        return strategy.reduce(total, value, axis=None)

    state = tf.nest.map_structure(lambda a, b: a + summed(b), state, change)
    n = tf.cast(batch.size, tf.float64)
    return summed(loss) * n, n, state
