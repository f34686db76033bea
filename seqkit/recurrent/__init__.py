"""Recurrent layers: one layer for every cell, and its bidirectional pair."""

from seqkit import _register_layers
from seqkit.recurrent.bias import CellBias
from seqkit.recurrent.bidirectional import Bidirectional
from seqkit.recurrent.gated import GatedRNN

__all__ = ["Bidirectional", "CellBias", "GatedRNN"]

_register_layers(__name__)
