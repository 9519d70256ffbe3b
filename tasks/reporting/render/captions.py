"""What stands with tables and figures in plain words: how to read them, what would mislead."""

PICTURES = "figures"
"""Folder of the figures, beside the report in Markdown."""


def picture(name: str, alternative: str) -> str:
    """A figure in Markdown; the page puts the drawing in its place."""
    words = " ".join(alternative.split()).replace("[", "(").replace("]", ")")
    return f"![{words}]({PICTURES}/{name}.svg)"


def how_to_read(name: str) -> str:
    """How to read a table or figure, and when it misleads, as a quotation."""
    read, misleading = READINGS[name]
    return f"> **How to read this.** {read} **Misleading if** {misleading}"


COMPARED = (
    "Compare two methods by the paired differences below, not by whether their ± overlap: all "
    "methods of a draw share its V, so much of the spread is common to them."
)
NO_TARGET = (
    "you read the paper's column as a target: it comes from other draws and another training, and "
    "often from other data; or if methods that saw U are compared with methods that did not."
)

READINGS = {
    "table 1": (
        "Each line is a method, each column a number k of labelled samples a class. " + COMPARED,
        NO_TARGET,
    ),
    "table 3": (
        "Each line is a method, each column a number k of labelled clips a class: first all k per "
        "frame, then per video, where mistakes on single frames can average out. " + COMPARED,
        NO_TARGET,
    ),
    "differences": (
        "A dot is the mean difference over the draws, the bar its 95 % interval; right of 0 the "
        "first-named method is higher. A filled dot has an interval that leaves out 0. p (t) is "
        "the chance of a difference at least as large if the methods were equal; p (Holm) is the "
        "same after correction for all rows of one k.",
        "a wide interval is taken for equality: with few draws it says only that these draws "
        "cannot tell.",
    ),
    "hyper-validation": (
        "The first column of figures is what selection saw, the second what the training ended "
        "with; a large fall between them means that the kept step was partly luck.",
        "it is used to rank methods: these are the samples that the step was picked on.",
    ),
    "grid": (
        "Rows are beta (how sharply the learning rate follows rho), columns gamma (its shift). "
        "Look first at the sd between cells and at the expected best of equal cells: if the best "
        "cell is near that, its place in the grid means nothing.",
        "you pick the largest number: among many cells one is large by luck, and cells of one draw "
        "share V, so that a whole column can be lucky together.",
    ),
    "paper grid": (
        "Every cell of the paper is a mean over its 10 runs. Its sd between cells and the best "
        "that as many equal cells would give stand beside its best cell.",
        "the best cell is taken for a setting that works better: it is hardly above what picking "
        "the best of 54 equal cells gives.",
    ),
    "heat map": (
        "Light is higher. A star marks a cell that is the best on hyper-validation in at least one "
        "draw. A pattern over neighbouring cells would be an effect; a speckle is noise.",
        "colours are compared between panels: every panel has a scale of its own, stretched over "
        "its own lowest and highest cell, however close these are.",
    ),
    "figure 3": (
        "Thick lines are means over draws, thin ones the draws. Lower is better; a lower line "
        "early on is quicker, a smoother one steadier. The table puts figures to both.",
        "the lowest point of a jumpy line is taken for its level, or a falling loss for a rising "
        "accuracy: a few very wrong samples can raise the loss while the accuracy rises too.",
    ),
    "figure 4": (
        "Each line is one k: the test accuracy of the final model trained with hard labels of the "
        "best R models of the grid. Bars are one standard error over draws. The table takes the "
        "differences on the same draws.",
        "a peak is believed that is smaller than the bars, or R is chosen by this figure: it shows "
        "the test split, which may choose nothing.",
    ),
    "labels": (
        "Coverage is the share of U that got a hard label, precision the share of those that are "
        "right. Both count: few but right labels teach little, many wrong ones mislead.",
        "a high overall precision hides a class with few or wrong labels; see the table per class.",
    ),
    "shown": (
        "An exact binomial bound (Clopper and Pearson) on labels that were held out, and, for the "
        "one asked for, tests of thresholds in a fixed order: each holds at the confidence named.",
        "a bound far below the share of right ones means few held-out labels, and not bad ones.",
    ),
    "label classes": (
        "Each entry: hard labels given; how many per cent of them are right; samples of the class "
        "in the enlarged V, V itself included.",
        "counts are compared with the true sizes of the classes: the labels are sorted by what the "
        "models said, not by what is right.",
    ),
    "label ends": (
        "The ends tell what an average hides: a class with few hard labels is hardly learnt from "
        "U, one with low precision is learnt wrongly.",
        "ends of a line are compared with the next line's: with many classes somebody is always "
        "last, and a precision of few labels is mostly chance.",
    ),
    "clips": (
        "Frames of one clip that are labelled differently cannot all be right: a large share means "
        "that single frames often mislead. Hard labels differ less often, as they are given only "
        "where all members are sure.",
        "a small share is taken for right labels: frames of a clip are much alike, and can all be "
        "wrong together.",
    ),
    "reliability": (
        "A dot is a bin of soft labels with like confidence: on the diagonal the models are right "
        "as often as they say; below it they are too sure. Larger dots hold more samples. ECE is "
        "the mean distance to the diagonal, weighted by samples.",
        "bins with few samples are read like full ones, or the ECE is compared with figures made "
        "with another number of bins.",
    ),
    "thresholds": (
        "A higher threshold keeps fewer labels (coverage falls), and usually better ones (precision"
        " rises). The upright line is the threshold that was used.",
        "the best threshold is picked from it: it is drawn with the true labels of U, which a real "
        "task does not have.",
    ),
    "audit of r": (
        "More members agree less often: coverage falls with R, precision usually rises. Soft labels"
        " are right as often as the mean of the members is.",
        "members are taken for independent: they differ only in beta, gamma and chance, and make "
        "many mistakes together.",
    ),
    "rho": (
        "Each dot is one mini-batch: its rho, and how the loss on hyper-validation changed when "
        "one plain step with it was taken, always from the same weights. If rho is a valid measure "
        "of a batch's worth, the dots fall to the right: negative correlation.",
        "dots of different draws are read as one cloud (correlations are taken within one), or a "
        "correlation is taken for a gain: it says nothing of how much better training gets.",
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
        "blindly; dashed: the best cell, which no selection can beat.",
        "it is read as the worth of hyper-validation as a whole: only the selection of the cell is "
        "repeated. All models were trained, and their best steps kept, with the full set; and "
        "large subsets overlap, so that their band is too narrow.",
    ),
    "sources": (
        "A positive figure means that the target is recognised better with the source than without "
        "it. `helps` and `hurts` stand where the 95 % interval leaves out 0; otherwise the line "
        "says how much the source may matter at most, by two one-sided tests at 5 %.",
        "it is read as the worth of the source's data in general: it is what they add to the other "
        "sources, for this method, at this number of labels.",
    ),
    "label curve": (
        "Measured accuracy by the number of labels, the curve beside it, and what more labels "
        "would add to so many by the curve.",
        "the curve is trusted beyond its last point, or the interval is taken for that of one "
        "draw: it is that of the mean, and holds neither other test samples nor another curve.",
    ),
    "overhead": (
        "A ratio of 1.4 is 40 % more time a step than Source only on the same draw.",
        "it is taken for the cost on another machine, or as exact to a few per cent: trainings "
        "shared this one with each other and with whatever else ran, those of an earlier run with "
        "what ran then; times include the checks on hyper-validation and GradMix's pass over V, "
        "and small networks on a processor weigh the solver more than large ones on a GPU.",
    ),
    "selection": (
        "How much tuning every row got: rates and settings tried, those that each draw's "
        "hyper-validation chose, and from how many trainings the model was picked.",
        "rows with more trainings to choose from are compared with rows with fewer as if tuned "
        "alike.",
    ),
    "deviations": (
        "What this run does otherwise than the paper; every line is a reason for figures to "
        "differ.",
        "it is taken to be complete: what the paper leaves open is our choice, listed below.",
    ),
    "provenance": (
        "Where this report comes from: code, command and seed, with the data below, determine its "
        "figures.",
        "the time or memory is expected of another machine, or of a run that reuses less.",
    ),
    "data": (
        "The prepared data and the raw files under them; the same digest means the same bytes.",
        "names alone are compared: data of one name and another digest are other data.",
    ),
    "runs": (
        "The MLflow run of every model in the tables, by draw.",
        "the home folder has been moved or emptied since: then the runs are not there.",
    ),
}
"""By name: how to read it, and what would make it misleading."""
