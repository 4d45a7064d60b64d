"""The settings of a recipe: type, bounds, unit and source of each; descriptions go to OpenAPI.

Sections are those of Zhang, Wu, Katiyar, Weinberger, Artzi, *Revisiting Few-sample BERT
Fine-tuning*, ICLR 2021.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

MAX_STEPS = 1_000_000
MAX_LEARNING_RATE = 1e-2
DEFAULT_BATCH_SIZE = 32
MAX_AVERAGED_CHECKPOINTS = 3  # each is a copy of the weights on the disk while its run trains

Auto = Literal["auto"]
Preset = Literal[
    "stabilized",
    "conventional",
    "debiased",
    "reinit",
    "longer",
    "llrd",
    "mixout",
    "pretrained_weight_decay",
]

LearningRate = Annotated[
    float,
    Field(
        gt=0,
        le=MAX_LEARNING_RATE,
        description="Peak learning rate, reached at the end of the warm-up and then decayed "
        "linearly to zero.",
    ),
]
BiasCorrection = Annotated[
    bool,
    Field(
        description="true: AdamW as published (torch.optim.AdamW). false: BERTAdam, which omits "
        "Adam's bias correction, so the first few hundred updates are up to 6.6 times too large "
        "(section 4 of the paper); kept as the control."
    ),
]
Beta = Annotated[
    float,
    Field(
        ge=0,
        lt=1,
        description="Decay rate of Adam's running mean: beta1 of the gradients, beta2 of their "
        "squares.",
    ),
]
Epsilon = Annotated[
    float,
    Field(gt=0, le=1e-2, description="Added to the square root of Adam's second moment."),
]
WeightDecay = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="Decoupled weight decay; biases and normalization parameters are exempt.",
    ),
]
MaxGradNorm = Annotated[
    float,
    Field(
        ge=0,
        le=1e6,
        description="Maximum norm of the gradient over all parameters; a larger gradient is scaled "
        "down to it. 0 disables clipping.",
    ),
]
WarmupRatio = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="Share of the steps during which the learning rate rises from zero; rounded "
        "up to whole steps.",
    ),
]
Epochs = Annotated[
    float,
    Field(gt=0, le=1000, description="Passes over the training rows; give this or max_steps."),
]
MaxSteps = Annotated[
    int,
    Field(
        ge=1, le=MAX_STEPS, description="Optimizer steps of a run; give this or num_train_epochs."
    ),
]
BatchSize = Annotated[
    int,
    Field(
        ge=1,
        le=1024,
        description="Rows per optimizer step; the last, smaller batch of an epoch is kept.",
    ),
]
ReinitPooler = Annotated[
    bool,
    Field(
        description="Re-initialize the pooler instead of using the pre-trained one (section 5 of "
        "the paper)."
    ),
]
ReinitDepth = Annotated[int, Field(ge=0, le=96)]
BlockIndex = Annotated[int, Field(ge=0, lt=96)]
ReinitLayers = Annotated[
    ReinitDepth | Annotated[list[BlockIndex], Field(min_length=1, max_length=96)],
    Field(
        description="Number of top transformer blocks to re-initialize (section 5 of the paper), "
        "or a list of blocks, counted from 0 at the bottom."
    ),
]
LayerwiseDecay = Annotated[
    float,
    Field(
        gt=0,
        le=1,
        description="Factor ξ of layer-wise learning-rate decay (Howard & Ruder 2018): the head "
        "and the pooler train at the full rate, the top block at ξ times the rate, the next block "
        "at ξ² …, the embeddings at ξ to the number of blocks plus one. 1 uses one rate for all.",
    ),
]
PretrainedWeightDecay = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="Strength λ of weight decay toward the initial weights instead of toward zero "
        "(Lee et al. 2020); the new head decays toward zero. 0 disables it.",
    ),
]
Mixout = Annotated[
    float,
    Field(
        ge=0,
        lt=1,
        description="Probability p of mixout (Lee et al. 2020): at each step, each weight of the "
        "encoder's Linear layers is replaced by its pre-trained value with this probability; all "
        "dropout is off. 0 disables it.",
    ),
]
GivenWeights = Annotated[
    dict[
        Annotated[str, StringConstraints(min_length=1, max_length=256)],
        Annotated[float, Field(gt=0, le=1e6)],
    ],
    Field(min_length=1, max_length=5000),
]
Pooling = Annotated[
    Literal["family", "cls", "mean"],
    Field(
        description="What the head reads. family: the encoder family's own head and pooler, as in "
        "AutoModelForSequenceClassification. cls: the last state of the first token. mean: the "
        "mean of the last states over the text's tokens. cls and mean feed a new linear layer "
        "and use no pooler."
    ),
]
PairEncoding = Annotated[
    Literal["joined", "separate", "aligned"],
    Field(
        description="How a pair of texts is encoded. joined: as one sequence. separate: each text "
        "by itself, with the same weights; the head compares the two pooled vectors u and v, "
        "scaled to length 1, for labels with a linear layer on u, v, |u-v|, u·v and their cosine, "
        "for a regression with the cosine alone. aligned: encoded like separate, but compared "
        "token by token: a linear layer on how similar each text's tokens are to the most similar "
        "ones of the other text (mean and soft minima), and on the cosine of u and v. For "
        "separate and aligned, pooling is mean unless it is given."
    ),
]
HeadFirst = Annotated[
    bool,
    Field(
        description="Fit the head on the frozen encoder before the first step (LP-FT; Kumar et al. "
        "2022): its last linear layer starts at the regularized fit of the training rows instead "
        "of a random draw. Then everything trains as usual, and the fitted head itself can be the "
        "chosen checkpoint. Left out, it is true for texts encoded apart (separate, aligned) and "
        "false otherwise."
    ),
]
ClassWeights = Annotated[
    Literal["none", "balanced"] | GivenWeights,
    Field(
        description="Weight of each label's rows in the loss: none, balanced (inversely "
        "proportional to the label's rows), or a weight per label name; other labels weigh 1."
    ),
]
EvalPoints = Annotated[
    int,
    Field(
        ge=1,
        le=1000,
        description="Number of evaluations, evenly spaced over a run: the i-th of k comes at step "
        "ceil(i·T/k). With head_first there is one more, after step 1.",
    ),
]
Select = Annotated[
    Literal["best_checkpoint", "greedy_average", "last"],
    Field(
        description="Which weights to keep: those of the best evaluation (the earliest of equal "
        f"ones); the average of up to {MAX_AVERAGED_CHECKPOINTS} of the best evaluations, each "
        "added only if the validation score does not fall (Wortsman et al. 2022); or those of the "
        "last step."
    ),
]
Precision = Annotated[
    Literal["float32", "bfloat16"],
    Field(
        description="Arithmetic of training. bfloat16: forward and backward passes in bfloat16, "
        "with weights, optimizer and the scores of the chosen checkpoint in float32; several times "
        "faster on GPUs and on processors that multiply bfloat16 natively."
    ),
]
