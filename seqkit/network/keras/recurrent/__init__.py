"""Recurrent layers: one layer for every cell, and its bidirectional pair."""

from seqkit.network.keras.recurrent.bias import CellBias
from seqkit.network.keras.recurrent.bidirectional import Bidirectional
from seqkit.network.keras.recurrent.gated import GatedRNN

__all__ = ["Bidirectional", "CellBias", "GatedRNN"]
