"""Captions of tables and figures: how to read them, and what would mislead."""

PICTURES = "figures"
"""Folder of the figures, next to the report in Markdown."""


def picture(name: str, alternative: str) -> str:
    """Markdown of a figure, which the page replaces by the drawing."""
    words = " ".join(alternative.split()).replace("[", "(").replace("]", ")")
    return f"![{words}]({PICTURES}/{name}.svg)"


def how_to_read(name: str) -> str:
    """How to read a table or figure, and when it misleads, as a block quote."""
    read, misleading = READINGS[name]
    return f"> **How to read this.** {read} **Misleading if** {misleading}"


COMPARED = (
    "Compare two methods by the paired differences below, not by whether their ± overlap: all "
    "methods of a draw share its V, so they share much of the spread."
)
NO_TARGET = (
    "you read the paper's column as a target, as it has other draws, another training, and often "
    "other data; or if you compare methods that saw U with methods that did not."
)

READINGS = {
    "table 1": (
        "Each line is a method, each column a number k of labelled samples per class. " + COMPARED,
        NO_TARGET,
    ),
    "table 3": (
        "Each line is a method, each column a number k of labelled clips per class: first all k "
        "per frame, then per video, where mistakes on single frames can average out. " + COMPARED,
        NO_TARGET,
    ),
    "differences": (
        "A dot is the mean difference over the draws, the bar its 95 % interval; right of 0, the "
        "first-named method is higher. A filled dot has an interval that excludes 0. p (t) is the "
        "probability of a difference at least as large if the methods were equal; p (Holm) is the "
        "same after correction for all rows of one k.",
        "a wide interval is taken for equality: with few draws, it only says that these draws "
        "cannot tell.",
    ),
    "hyper-validation": (
        "The first column of figures is what selection saw, the second the end of the training; a "
        "large drop between them means that the chosen step was partly luck.",
        "it is used to rank methods: the step was chosen on these very samples.",
    ),
    "grid": (
        "Rows are beta (how sharply the learning rate follows rho), columns gamma (its shift). "
        "Look first at the sd between cells and at the expected best of equal cells: if the best "
        "cell is close to that, its place in the grid means nothing.",
        "you pick the largest number: among many cells one is large by luck, and cells of one draw "
        "share V, so that a whole column can be lucky together.",
    ),
    "paper grid": (
        "Every cell of the paper is a mean over its 10 runs. The sd between cells and the expected "
        "best of as many equal cells are next to its best cell.",
        "the best cell is taken for a better setting: it is hardly above the best of 54 equal "
        "cells.",
    ),
    "heat map": (
        "Lighter is higher. A star marks a cell that is best on hyper-validation in at least one "
        "draw. A pattern over neighbouring cells would be an effect; speckle is noise.",
        "colours are compared between panels: each panel has its own scale, stretched between its "
        "lowest and highest cell, however close these are.",
    ),
    "figure 3": (
        "Thick lines are means over draws, thin ones the draws. Lower is better; a lower line "
        "early on is faster, a smoother one steadier. The table quantifies both.",
        "the lowest point of a jumpy line is taken for its level, or a falling loss for a rising "
        "accuracy: a few very wrong samples can raise the loss while the accuracy rises too.",
    ),
    "figure 4": (
        "Each line is one k: the test accuracy of the final model trained on hard labels by the "
        "best R models of the grid. Bars are one standard error over draws. The table has the "
        "differences on the same draws.",
        "you believe in a peak smaller than the bars, or choose R by this figure: it shows the "
        "test split, which must not be used to choose anything.",
    ),
    "labels": (
        "Coverage is the share of U with a hard label, precision the share of those that are "
        "correct. Both matter: few but correct labels teach little, many wrong ones mislead.",
        "a high overall precision hides a class with few or wrong labels; see the table per class.",
    ),
    "shown": (
        "An exact binomial bound (Clopper and Pearson) on held-out labels and, for the requested "
        "precision, tests of thresholds in a fixed order; each holds at the stated confidence.",
        "a bound far below the observed share is blamed on bad labels: it means few held-out ones.",
    ),
    "label classes": (
        "Each entry: hard labels given; percentage of them that are correct; samples of the class "
        "in the enlarged V, including V itself.",
        "counts are compared with the true sizes of the classes: labels are counted by predicted, "
        "not by true class.",
    ),
    "label ends": (
        "The extremes show what an average hides: a class with few hard labels is hardly learnt "
        "from U, and one with low precision is learnt wrongly.",
        "the extremes of different lines are compared: with many classes one is always last, and "
        "a precision over few labels is mostly chance.",
    ),
    "clips": (
        "Frames of one clip that are labelled differently cannot all be correct: a large share "
        "means that single frames often mislead. Hard labels differ less often, as they require "
        "all members to be sure.",
        "a small share is taken for correct labels: frames of a clip are much alike, and can all "
        "be wrong together.",
    ),
    "reliability": (
        "A dot is a bin of soft labels with similar confidence: on the diagonal, the models are "
        "correct as often as they claim; below it, they are overconfident. Larger dots hold more "
        "samples. ECE is the mean distance to the diagonal, weighted by samples.",
        "bins with few samples are read like full ones, or the ECE is compared with values for "
        "another number of bins.",
    ),
    "thresholds": (
        "A higher threshold keeps fewer labels (coverage falls), and usually better ones (precision"
        " rises). The vertical line is the threshold that was used.",
        "the best threshold is picked from it: it uses the true labels of U, which a real "
        "task does not have.",
    ),
    "audit of r": (
        "More members agree less often: coverage falls with R, and precision usually rises. Soft "
        "labels are correct as often as the mean of the members is.",
        "members are taken to be independent: they differ only in beta, gamma and chance, and make "
        "many mistakes together.",
    ),
    "rho": (
        "Each dot is a mini-batch: its rho, and the change of the hyper-validation loss after one "
        "plain step with it, always from the same weights. If rho measures the value of a batch, "
        "the dots fall to the right: negative correlation.",
        "dots of different draws are read as one cloud (correlations are taken within one), or a "
        "correlation is taken for a gain: it does not say how much better training gets.",
    ),
    "rho layers": (
        "The same for single layers: a layer's cosine against the change of the loss when that "
        "layer alone takes its step.",
        "layers are compared by small differences in correlation: the range over draws is as "
        "wide as shown.",
    ),
    "sizes": (
        "The line is the mean test accuracy of the grid cell that a hyper-validation set of that "
        "size would have selected; the band is one sd over random subsets. Dotted: a cell picked "
        "at random; dashed: the best cell, which no selection can beat.",
        "it is read as the value of hyper-validation as a whole: only the selection of the cell is "
        "repeated. All models were trained, and their best steps chosen, with the full set; and "
        "large subsets overlap, so that their band is too narrow.",
    ),
    "sources": (
        "A positive figure means that the target is recognised better with the source than without "
        "it. `helps` and `hurts` mean that the 95 % interval excludes 0; otherwise the line gives "
        "a bound on how much the source may matter, by two one-sided tests at 5 %.",
        "it is read as the value of the source's data in general: it is what they add to the other "
        "sources, for this method, at this number of labels.",
    ),
    "label curve": (
        "Measured accuracy by number of labels, the fitted curve, and what more labels would add "
        "according to the curve.",
        "the curve is trusted beyond its last point, or the interval is taken for that of one "
        "draw: it is for the mean, and does not cover other test samples or another curve.",
    ),
    "overhead": (
        "A ratio of 1.4 is 40 % more time per step than Source only on the same draw.",
        "it is taken for the cost on another machine, or as exact to a few per cent: trainings "
        "shared this one with each other and with other load, and reused ones with the load of "
        "their time; times include hyper-validation and GradMix's pass over V, and the solver "
        "weighs more for small networks on a CPU than for large ones on a GPU.",
    ),
    "selection": (
        "How much tuning every row got: rates and settings tried, those chosen by each draw's "
        "hyper-validation, and the number of trainings the model was picked from.",
        "rows with more trainings to choose from are compared with rows with fewer as if equally "
        "tuned.",
    ),
    "deviations": (
        "How this run differs from the paper; every line is a reason for different figures.",
        "it is taken to be complete: what the paper leaves open is our choice, listed below.",
    ),
    "provenance": (
        "Where this report comes from: code, command and seed determine its figures, together with "
        "the data below.",
        "the same time or memory is expected on another machine, or in a run that reuses less.",
    ),
    "data": (
        "The prepared data and the raw files under them; the same digest means the same bytes.",
        "only names are compared: data with the same name and another digest are different.",
    ),
    "runs": (
        "The MLflow run of every model in the tables, by draw.",
        "the home folder has been moved or emptied since: then the runs are gone.",
    ),
}
"""How to read each table or figure, and what would make it misleading, by name."""
