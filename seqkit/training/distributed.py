"""One training step shared by the replicas of a ``tf.distribute`` strategy.

Every replica takes its share of the global batch, gradients are summed, and each replica makes the
same update: the result is that of one device on the global batch, up to rounding (Goyal et al.
2017, section 3, with the loss of a share weighted by its part of the batch).
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from seqkit.kernels import only_watched
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
        with tf.GradientTape(watch_accessed_variables=False) as tape, only_watched():
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
        shown = tf.ones(tf.shape(y)[:1]) if weight is None else weight
        found = program._update_metrics(state, y, prediction, shown * counts)
        change = tf.nest.map_structure(lambda a, b: a - b, found, state)
        gradients, loss, change = _sum_over_replicas(context, (gradients, loss, change))
        apply_gradients(
            program.optimizer, gradients, program.variables, rate, clipnorm, replicas=replicas
        )
        return loss, change

    # Every replica holds the same sums: one of them tells.
    loss, change = tf.nest.map_structure(
        lambda value: strategy.experimental_local_results(value)[0],
        strategy.run(replica, args=(rate, state)),
    )
    state = tf.nest.map_structure(lambda a, b: a + b, state, change)
    n = tf.cast(batch.size, tf.float64)
    return tf.cast(loss, tf.float64) * n, n, state


def _sum_over_replicas(context: Any, values: Any) -> Any:
    """Return a structure of tensors (or None), each summed over the replicas.

    All travel as one vector: with several sums under way at a time two workers may start them in
    different order and wait for each other for ever.
    """
    leaves = tf.nest.flatten(values)
    there = [leaf for leaf in leaves if leaf is not None]
    whole = context.all_reduce(
        tf.distribute.ReduceOp.SUM,
        tf.concat([tf.reshape(tf.cast(leaf, tf.float32), [-1]) for leaf in there], 0),
    )
    parts = tf.split(whole, [tf.size(leaf) for leaf in there], num=len(there))
    summed = iter(
        tf.cast(tf.reshape(part, tf.shape(leaf)), leaf.dtype)
        for part, leaf in zip(parts, there, strict=True)
    )
    return tf.nest.pack_sequence_as(
        values, [None if leaf is None else next(summed) for leaf in leaves]
    )
