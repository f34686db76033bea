"""Recurrent layers: one layer for every cell, and its bidirectional pair."""

from seqkit.recurrent.bias import CellBias
from seqkit.recurrent.bidirectional import Bidirectional
from seqkit.recurrent.gated import GatedRNN

__all__ = ["Bidirectional", "CellBias", "GatedRNN"]
