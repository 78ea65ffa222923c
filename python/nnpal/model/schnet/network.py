"""SchNet (K. T. Schütt et al., doi:10.1063/1.5019779), on a list of edges.

Only centers get an energy. The module is scriptable and twice differentiable, as training on forces requires.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils import skip_init

from nnpal.model.schnet.description import SchNetDescription
from nnpal.model.schnet.levels import message_levels


class Linear(torch.nn.Linear):
    """Linear map without TorchScript constants, whose order in an archive differs between processes.

    Without them the same networks are always written as the same code.
    """

    __constants__: list[str] = []  # noqa: RUF012 (declared so by torch)


class Embedding(torch.nn.Embedding):
    """Embedding without TorchScript constants; see :class:`Linear`."""

    __constants__: list[str] = []  # noqa: RUF012 (declared so by torch)


class ShiftedSoftplus(torch.nn.Module):
    """ln(½ eˣ + ½), which is 0 at 0."""

    def forward(self, x: Tensor) -> Tensor:
        return F.softplus(x) - math.log(2.0)


class Interaction(torch.nn.Module):
    """Interaction block, which passes messages from neighbors to atoms: equations 3 and 7 of the paper.

    With W the filter network of the Gaussians of the distance, f the envelope and A, B, C linear maps::

        m_i  = sum_j (A x_j) * W(r_ij) f(r_ij)
        x_i' = x_i + C ssp(B m_i)

    Arguments:
        n_features: number of features per atom, and of filters.
        n_gaussians: number of Gaussians, the inputs of the filter network.
    """

    def __init__(self, n_features: int, n_gaussians: int) -> None:
        super().__init__()
        self.filters = torch.nn.Sequential(
            skip_init(Linear, n_gaussians, n_features),
            ShiftedSoftplus(),
            skip_init(Linear, n_features, n_features),
        )
        self.neighbors = skip_init(Linear, n_features, n_features, bias=False)
        self.update = torch.nn.Sequential(
            skip_init(Linear, n_features, n_features),
            ShiftedSoftplus(),
            skip_init(Linear, n_features, n_features),
        )

    def forward(
        self, sources: Tensor, targets: Tensor, center: Tensor, neighbor: Tensor, gaussians: Tensor, envelope: Tensor
    ) -> Tensor:
        """Return the new features of the targets.

        Arguments:
            sources: features of the atoms that ``neighbor`` refers to, [n_sources, n_features].
            targets: features of the atoms that ``center`` refers to, [n_targets, n_features].
            center, neighbor: the ends of each edge, int64 [n_edges].
            gaussians: Gaussians of the distances, [n_edges, n_gaussians].
            envelope: envelope of the distances, repeated for each filter, [n_edges, n_features].
        """
        messages = self.neighbors(sources).index_select(0, neighbor) * (self.filters(gaussians) * envelope)
        received = torch.zeros_like(targets).index_add(0, center, messages)
        updated: Tensor = targets + self.update(received)
        return updated

    @torch.jit.unused
    def of_pairs(self, features: Tensor, ends: Tensor, gaussians: Tensor, envelope: Tensor) -> Tensor:
        """Return the new features of all atoms; both directions of a pair share one filter.

        Arguments:
            features: features of all atoms, [n_atoms, n_features].
            ends: atoms of each pair, int64 [2, n_pairs].
            gaussians, envelope: as for :meth:`forward`, of the pairs' distances.
        """
        filters, of_neighbors = self.filters(gaussians) * envelope, self.neighbors(features)
        received = torch.zeros_like(features)
        for center, neighbor in (ends, ends.flip(0)):
            received = received.index_add(0, center, of_neighbors.index_select(0, neighbor) * filters)
        updated: Tensor = features + self.update(received)
        return updated


class SchNet(torch.nn.Module):
    """Interaction energy of each center, eV.

    The weights are uninitialized; :func:`nnpal.model.schnet.build_schnet` draws them.

    Arguments:
        description: elements and hyperparameters.

    Attributes:
        n_features, n_gaussians, cutoff: values of the description, cutoff in Å; kept in scripted modules.
    """

    n_features: int
    n_gaussians: int
    cutoff: float

    def __init__(self, description: SchNetDescription) -> None:
        super().__init__()
        self.n_features = int(description.features)
        self.n_gaussians = int(description.gaussians)
        self.cutoff = float(description.cutoff)
        self.embedding = skip_init(Embedding, len(description.symbols), self.n_features)
        self.interactions = torch.nn.ModuleList(
            Interaction(self.n_features, self.n_gaussians) for _ in range(description.interactions)
        )
        self.head = torch.nn.Sequential(
            skip_init(Linear, self.n_features, self.n_features // 2),
            ShiftedSoftplus(),
            skip_init(Linear, self.n_features // 2, 1),
        )

    @torch.jit.unused
    def description_of(self, symbols: Sequence[str]) -> SchNetDescription:
        """Return the description of this network, whose elements are ``symbols``."""
        if len(symbols) != self.embedding.num_embeddings:
            raise ValueError(f"SchNet: {len(symbols)} elements, but embeddings of {self.embedding.num_embeddings}")
        return SchNetDescription(tuple(symbols), self.n_features, len(self.interactions), self.n_gaussians, self.cutoff)

    def forward(self, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor) -> Tensor:
        """Evaluate centers 0 .. n_local-1.

        Arguments:
            species: element index of every atom, centers first, int64 [n_atoms].
            n_local: number of centers.
            edge_index: (center, neighbor), int64 [2, n_edges], sorted by center; edges of every atom within
                n_interactions - 1 neighbor steps of a center.
            edge_vec: r_neighbor - r_center, Å, [n_edges, 3], shorter than the cutoff.

        Returns:
            Energies without self-energies, eV, [n_local].
        """
        center, neighbor = edge_index[0], edge_index[1]
        distance = edge_vec.norm(2, -1).unsqueeze(1)
        gaussians, envelope = self._gaussians(distance), self._envelope(distance)
        features = self.embedding(species)
        if n_local == species.shape[0]:
            for interaction in self.interactions:
                features = interaction(features, features, center, neighbor, gaussians, envelope)
        else:
            levels = message_levels(species.shape[0], n_local, center, neighbor, len(self.interactions))
            for i, interaction in enumerate(self.interactions):
                level = levels[i]
                features = interaction(
                    features,
                    features.index_select(0, level.targets),
                    level.center,
                    level.neighbor,
                    gaussians.index_select(0, level.edges),
                    envelope.index_select(0, level.edges),
                )
        energies: Tensor = self.head(features).view(-1)
        return energies

    @torch.jit.unused
    def of_pairs(self, species: Tensor, ends: Tensor, vectors: Tensor) -> Tensor:
        """Return the result of :meth:`forward` with all atoms as centers, from a list with each pair once.

        Filters are most of the cost and depend only on the distance, so training evaluates them once per pair.

        Arguments:
            species: element index of every atom, int64 [n_atoms].
            ends: atoms of each pair of neighbors, int64 [2, n_pairs].
            vectors: r_ends[1] - r_ends[0], Å, [n_pairs, 3], shorter than the cutoff.
        """
        distance = vectors.norm(2, -1).unsqueeze(1)
        gaussians, envelope = self._gaussians(distance), self._envelope(distance)
        features = self.embedding(species)
        for interaction in self.interactions:
            assert isinstance(interaction, Interaction)
            features = interaction.of_pairs(features, ends, gaussians, envelope)
        energies: Tensor = self.head(features).view(-1)
        return energies

    def _gaussians(self, distance: Tensor) -> Tensor:
        """Return exp(-(r - r_k)² / 2 d²), r_k = k d from 0 to the cutoff, [n_edges, n_gaussians]."""
        scaled = distance * ((self.n_gaussians - 1) / self.cutoff)
        k = torch.arange(self.n_gaussians, dtype=distance.dtype, device=distance.device)
        # e⁻⁴⁰ is negligible compared with 1 in double precision; smaller values make exp ten times slower and give
        # denormals
        return torch.exp(-0.5 * (scaled - k).square().clamp(max=80.0))

    def _envelope(self, distance: Tensor) -> Tensor:
        """Return ½ (1 + cos(π r / cutoff)), which is 0 at the cutoff, like its first derivative.

        It is repeated for each filter, [n_edges, n_features], once here: broadcasting it in every product with filters
        is several times slower in torch.
        """
        envelope = 0.5 * torch.cos(distance * (math.pi / self.cutoff)) + 0.5
        return envelope.expand(-1, self.n_features).contiguous()
