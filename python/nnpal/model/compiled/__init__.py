"""Model files with a compiled program in addition to their TorchScript one, by torch.export and AOTInductor."""
