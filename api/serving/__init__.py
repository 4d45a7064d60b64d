"""Inference with published models: ONNX Runtime on the graph that the trainer exports. No torch.

``classifier`` and ``predictions`` need numpy and onnxruntime, so they are imported where they are
used; ``cache`` needs neither.
"""
