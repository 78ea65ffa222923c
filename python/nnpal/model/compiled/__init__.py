"""Model files with a compiled program beside their TorchScript one, by torch.export and AOTInductor."""
