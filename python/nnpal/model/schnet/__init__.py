"""SchNet, a network that passes messages between neighbors (doi:10.1063/1.5019779)."""

from nnpal.model.schnet.build import build_schnet
from nnpal.model.schnet.description import SchNetDescription
from nnpal.model.schnet.export import export_schnet
from nnpal.model.schnet.members import SchNetMembers, schnet_networks
from nnpal.model.schnet.network import SchNet

__all__ = ["SchNet", "SchNetDescription", "SchNetMembers", "build_schnet", "export_schnet", "schnet_networks"]
