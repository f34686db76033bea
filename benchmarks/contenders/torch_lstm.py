"""The module that skorch trains: importable, so that its workers can unpickle it."""

from __future__ import annotations

import torch


class LastState(torch.nn.Module):
    """An LSTM read at its last step, dropout, a linear layer."""

    def __init__(self, units: int = 64, dropout: float = 0.0) -> None:
        super().__init__()
        self.recurrent = torch.nn.LSTM(1, units, batch_first=True)
        self.dropout = torch.nn.Dropout(dropout)
        self.head = torch.nn.Linear(units, 2)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        out, _ = self.recurrent(X)
        return self.head(self.dropout(out[:, -1]))
