"""A source for data larger than memory: blocks of rows, read, shuffled and batched as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqkit.errors import DataError, explain
from seqkit.training.sources import ArraySource, Batch, shuffled

__all__ = ["StreamSource"]

MIX = 4
"""Blocks that are in memory together, their rows shuffled with one another."""


class StreamSource:
    """Blocks of rows read one after the other; no more than a few are in memory.

    Every epoch reads the blocks in another order and shuffles the rows of every `mix` of them
    together: with one block, the same order as :class:`ArraySource` gives.

    Parameters
    ----------
    read : callable
        ``read(i)`` returns block ``i`` as ``(inputs, y)`` or ``(inputs, y, sample_weight)``, as
        :class:`ArraySource` takes them. Called from another thread.
    rows : sequence of int
        Rows of each block.
    mix : int, default=4
        Blocks in memory at a time; more shuffle better.

    Examples
    --------
    >>> blocks = [np.arange(6.0).reshape(3, 2), np.ones((2, 2))]
    >>> source = StreamSource(lambda i: (blocks[i], blocks[i].sum(1)), [3, 2])
    >>> source.n_examples
    5
    >>> [len(y) for _, y, _ in source.batches(2, None)]
    [2, 2, 1]
    """

    def __init__(
        self, read: Callable[[int], tuple[Any, ...]], rows: Sequence[int], mix: int = MIX
    ) -> None:
        self.read = read
        self.block_rows = tuple(int(n) for n in rows)
        self.n_examples = sum(self.block_rows)
        self.mix = mix
        if not self.n_examples:
            raise DataError(explain("StreamSource", "rows", "of at least one row", rows))
        first = ArraySource(*read(0))
        self.names = first.names
        self._fields = tuple(first.arrays)

    @classmethod
    def from_parquet(
        cls,
        paths: str | Path | Sequence[str | Path],
        inputs: str | Sequence[str] | Mapping[str, str | Sequence[str]],
        y: str | Sequence[str] | None = None,
        sample_weight: str | None = None,
        shape: tuple[int, ...] | None = None,
        mix: int = MIX,
    ) -> StreamSource:
        """Stream Parquet files, a row an example and a row group a block.

        Parameters
        ----------
        paths : path or sequence of paths
        inputs : str, sequence of str, or mapping of input name to either
            Columns of the input: one column of lists, or several of numbers side by side.
        y : str or sequence of str, optional
        sample_weight : str, optional
        shape : tuple of int, optional
            Shape of one example of the input, ``(n_timesteps, n_features)``. By default one
            feature: ``(n_columns, 1)``.
        mix : int, default=4
            Row groups in memory at a time.

        Raises
        ------
        DataError
            If a column is missing or the values do not fill `shape`.
        """
        import pyarrow.parquet

        files = [paths] if isinstance(paths, str | Path) else list(paths)
        readers = [pyarrow.parquet.ParquetFile(path) for path in files]
        blocks = [(f, g) for f, reader in enumerate(readers) for g in range(reader.num_row_groups)]
        wanted = dict(inputs) if isinstance(inputs, Mapping) else {"": inputs}
        for path, reader in zip(files, readers, strict=True):
            columns = [c for group in (*wanted.values(), y, sample_weight) for c in _names(group)]
            missing = [c for c in columns if c not in reader.schema_arrow.names]
            if missing:
                raise DataError(
                    explain(str(path), "columns", f"among {reader.schema_arrow.names}", missing)
                )

        def read(i: int) -> tuple[Any, ...]:
            f, group = blocks[i]

            def columns(names: Any) -> np.ndarray:
                table = readers[f].read_row_group(group, columns=_names(names))
                return _matrix([table.column(name) for name in _names(names)])

            values = {name: columns(group) for name, group in wanted.items()}
            for name, array in values.items():
                form = shape if shape is not None else (array.shape[1], 1)
                if int(np.prod(form)) != array.shape[1]:
                    raise DataError(
                        explain(str(files[f]), "shape", f"of {array.shape[1]} values", shape)
                    )
                values[name] = array.reshape(len(array), *form)
            x = values if isinstance(inputs, Mapping) else values[""]
            target = None if y is None else columns(y)
            if isinstance(y, str) and target is not None and target.shape[1] == 1:
                target = target[:, 0]
            weight = None if sample_weight is None else columns(sample_weight)[:, 0]
            return x, target, weight

        sizes = [readers[f].metadata.row_group(g).num_rows for f, g in blocks]
        return cls(read, sizes, mix)

    def batches(self, batch_size: int, key: tuple[int, int] | None) -> Iterator[Batch]:
        """Yield batches in the shuffled order of ``key = (seed, epoch)``; None = as stored."""
        n_blocks = len(self.block_rows)
        blocks = (
            np.arange(n_blocks) if key is None else shuffled(n_blocks, *key, part=-1)[:n_blocks]
        )
        rest: dict[str, np.ndarray] = {}
        for part, start in enumerate(range(0, n_blocks, self.mix)):
            read = [ArraySource(*self.read(int(i))).arrays for i in blocks[start:][: self.mix]]
            rows = {name: np.concatenate([r[name] for r in read]) for name in self._fields}
            if key is not None:
                n = len(next(iter(rows.values())))
                order = shuffled(n, *key, part=part)[:n]
                rows = {name: array[order] for name, array in rows.items()}
            if rest:
                rows = {name: np.concatenate([rest[name], a]) for name, a in rows.items()}
            n = len(next(iter(rows.values())))
            whole = n - n % batch_size
            for first in range(0, whole, batch_size):
                yield self._batch({k: a[first : first + batch_size] for k, a in rows.items()})
            rest = {name: a[whole:] for name, a in rows.items()}
        if len(next(iter(rest.values()))):
            yield self._batch(rest)

    def _batch(self, rows: dict[str, np.ndarray]) -> Batch:
        inputs = rows["x"] if self.names is None else {n: rows[f"x:{n}"] for n in self.names}
        return inputs, rows.get("y"), rows.get("weight")


def _names(columns: Any) -> list[str]:
    if columns is None:
        return []
    return [columns] if isinstance(columns, str) else list(columns)


def _matrix(columns: list[Any]) -> np.ndarray:
    """Return Arrow columns side by side, (rows, values): numbers, or lists of equal length."""
    arrays = []
    for column in columns:
        flat = column.combine_chunks()
        if hasattr(flat, "flatten") and hasattr(flat.type, "value_type"):
            arrays.append(flat.flatten().to_numpy(zero_copy_only=False).reshape(len(flat), -1))
        else:
            arrays.append(flat.to_numpy(zero_copy_only=False)[:, None])
    return np.concatenate(arrays, axis=1)
