"""Which stages the outputs of an experiment need."""

from flows.experiment.settings import Experiment
from flows.experiment.training import Baseline, Final
from gradmix.declarations.methods import METHODS


class RequiredStages:
    """Stages required for the outputs of an experiment."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._outputs = experiment.outputs
        self.studies = experiment.outputs.studies

    @property
    def every_row(self) -> bool:
        """Whether table 1, or its counterpart for clips, table 3, is required."""
        return not {1, 3}.isdisjoint(self._outputs.tables)

    @property
    def scores_of_cells(self) -> bool:
        """Whether the test accuracy of every grid cell is required."""
        return 2 in self._outputs.tables or "hyper_validation" in self.studies

    @property
    def baselines(self) -> list[Baseline]:
        """Baselines of the table and those they start from; for figure 3, source-only training."""
        if self.every_row:
            chosen = [row for row in self._experiment.baselines if self._chosen(row.name)]
            starts = {METHODS[row.method].starts_from for row in chosen}
            return [
                row for row in self._experiment.baselines if row in chosen or row.method in starts
            ]
        if 3 not in self._outputs.figures:
            return []
        return [row for row in self._experiment.baselines if row.method == "source_only"]

    @property
    def final(self) -> list[Final]:
        """Final models of the table."""
        wanted = self._experiment.final if self.every_row else ()
        return [row for row in wanted if self._chosen(row.name)]

    def _chosen(self, name: str) -> bool:
        return self._outputs.rows is None or name in self._outputs.rows

    @property
    def swept_sizes(self) -> list[int]:
        """Values of R in figure 4."""
        return list(self._experiment.ensemble.r_sweep) if 4 in self._outputs.figures else []

    @property
    def ensemble_sizes(self) -> list[int]:
        """All values of R for which the best cells are selected, ascending."""
        return sorted({self._experiment.ensemble.r, *self.swept_sizes})

    def labels_of(self, r: int) -> bool:
        """Whether a model is trained on the labels of the top R."""
        of_rows = bool(self.final) and r == self._experiment.ensemble.r
        return of_rows or r in self.swept_sizes
