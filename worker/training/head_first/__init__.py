"""``recipe.head_first``: fit the new head on the frozen encoder, then train everything.

Source: Kumar, Raghunathan, Jones, Ma, Liang, *Fine-Tuning can Distort Pretrained Features and
Underperform Out-of-Distribution*, ICLR 2022 (arXiv 2202.10054), who call it LP-FT.
"""
