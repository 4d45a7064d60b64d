"""The recipe: how one run turns labeled rows and a pre-trained encoder into a classifier.

Fine-tune a pre-trained encoder on a few hundred rows, change nothing but the random seed, and the
score moves by many points; some runs end no better than always answering the most frequent label.
Three causes are known, with a remedy each:

1. *The optimizer.* BERTAdam, which BERT was published with, leaves Adam's bias correction out: its
   steps are too large by the factor r(t) = (1 - β1^t) / √(1 - β2^t), 3.2 at the first step, 6.6 at
   the twelfth, 2.2 at the 234th. ``optimizer.py`` takes ``torch.optim.AdamW``'s own steps, and
   BERTAdam's as the control.
2. *The initialization.* The top blocks are specialised on pre-training. ``reinit.py`` draws the
   pooler and the top L blocks afresh.
3. *The length.* Three epochs of a small set are too few steps. ``shared.recipe`` chooses steps,
   ``schedule.py`` warms up and decays the rate over them.

The methods that these are measured against are switches beside them: layer-wise rates
(``parameter_groups.py``), decay toward the start (``pretrained_decay.py``), ``mixout.py``, and a
head that is fitted before anything is trained (``head_first/``).
``module_groups.py`` knows where each encoder family keeps its blocks.

``run.py`` tells a run from top to bottom: seed -> split -> text -> encoder -> re-init -> head fit
-> vocabulary -> mixout -> optimizer -> loop -> evaluate -> export. Two seeds are kept apart, as
Dodge et al. do: ``init_seed`` draws what is new in the network, ``data_seed`` orders the rows and
draws the dropout.
A run's result is a function of its ``RunSpec`` alone; on a CPU it is the same to the last bit for
one torch version, instruction set and number of threads, whatever ran before it in the process.

The package is a generator of events and knows no database, no broker and no settings: the caller
records, stops, and tests.

Sources:
Zhang, Wu, Katiyar, Weinberger, Artzi, *Revisiting Few-sample BERT Fine-tuning*, ICLR 2021
(arXiv 2006.05987);
Mosbach, Andriushchenko, Klakow, *On the Stability of Fine-tuning BERT*, ICLR 2021
(arXiv 2006.04884), for what a failed run is;
Dodge et al., *Fine-Tuning Pretrained Language Models*, 2020 (arXiv 2002.06305), for the two seeds;
Kingma and Ba, *Adam*, ICLR 2015; Loshchilov and Hutter, *Decoupled Weight Decay Regularization*,
ICLR 2019;
Howard and Ruder, *Universal Language Model Fine-tuning*, ACL 2018, for layer-wise rates;
Lee, Cho and Kang, *Mixout*, ICLR 2020 (arXiv 1909.11299), for mixout and the decay toward the
start;
Kumar et al., *Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution*,
ICLR 2022 (arXiv 2202.10054), for the head that is fitted first;
Devlin et al., *BERT*, NAACL 2019, for the conventional settings.
"""
