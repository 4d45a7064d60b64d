"""Answering with published models, without torch: ONNX Runtime on the graph that the trainer
leaves beside the weights.

``classifier`` and ``answers`` need numpy and onnxruntime and are imported where they are used;
``cache`` is light.
"""
