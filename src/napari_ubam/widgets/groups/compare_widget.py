"""The *Compare groups* widget: how different, how sure, and which moments to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QLabel, QPlainTextEdit, QTabWidget, QVBoxLayout, QWidget

from napari_ubam.analysis.words import findings
from napari_ubam.errors import Problem, StudyError, UbamError
from napari_ubam.progress import Report
from napari_ubam.settings import CompareSettings
from napari_ubam.study import Recording, replace_intervals
from napari_ubam.widgets.dock import DockWidget, button, combo, row
from napari_ubam.widgets.form import SettingsForm
from napari_ubam.widgets.groups.compare_data import TABLES, Compared, load_compared
from napari_ubam.widgets.groups.group_plot import LABELS, GroupPlot
from napari_ubam.widgets.groups.interval_layers import intervals_drawn, read_drawn
from napari_ubam.widgets.groups.result_table import ResultTable
from napari_ubam.widgets.layers import shown_recording
from napari_ubam.widgets.notices import errors_shown, tell_error, warn_of_problems
from napari_ubam.widgets.remembered import RememberedChoices
from napari_ubam.widgets.study.study_table import group_colours

if TYPE_CHECKING:
    from pathlib import Path

    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_ubam.study import Study

INTERVALS_FILE = "intervals.csv"  # of a study: what was drawn in layers

_OTHERS = (
    "Subjects or their groups were changed since they were compared: press Compute in the Embedding widget, "
    "then Compare."
)


class CompareWidget(DockWidget):
    """Compares groups, and shows what was found; a click on a subject or clip opens it in the viewer."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.form = SettingsForm(CompareSettings(), folded=set(CompareSettings.model_fields) - {"intervals"})
        self.run_button = button(
            "Compare", "Compare groups and sessions, and classify unseen subjects.", self._on_run_clicked
        )
        self.report_button = button(
            "Open report", "Write the report, one page that can be mailed, and open it.", self._on_report_clicked
        )
        self.measure = combo(list(LABELS), "Measure", "What is drawn, one point a subject. Click one to see it.")
        self.which = combo(list(TABLES), "Table", "Which result is listed. Click a clip or a subject to see it.")
        self.layer_button = button(
            "Intervals from layer",
            "Take as intervals what is drawn in the selected Labels or Shapes layer, over the recording that is shown. "
            "They are kept in the study's intervals.csv, beside those of other recordings.",
            self._on_layer_clicked,
        )
        self.plot = GroupPlot(self.viewer)
        self.table = ResultTable()
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        self.hint.setTextFormat(Qt.TextFormat.PlainText)  # names of groups and subjects are no markup
        self.findings = QPlainTextEdit()
        self.findings.setReadOnly(True)
        self.findings.setAccessibleName("Findings")
        self.findings.setToolTip("<qt>What was found, in sentences that can be copied.</qt>")
        self.compared: Compared | None = None
        self.views = QTabWidget()
        self.views.addTab(_page(self.measure, self.plot), "Figure")
        self.views.addTab(self.findings, "Findings")
        self.views.addTab(_page(self.which, self.table), "Tables")
        self.column.addWidget(self.form)
        self.column.addWidget(self.layer_button)
        self.column.addLayout(row(self.run_button, self.report_button))
        self.column.addWidget(self.progress)
        self.column.addWidget(self.hint)
        self.column.addWidget(self.views, 1)

        fields = self.form.some("n_permutations", "n_shuffles", "baselines", "error_rate")
        RememberedChoices(self, {**fields, "measure": self.measure, "which": self.which})
        self.measure.currentTextChanged.connect(self._on_shown_changed)
        self.which.currentTextChanged.connect(self._on_shown_changed)
        self.plot.subject_clicked.connect(self.show_subject)
        self.table.row_clicked.connect(self._on_row_clicked)
        self.session.study_changed.connect(self._on_study_changed)
        self.session.study_saved.connect(self._on_study_saved)
        self.session.results_changed.connect(self.load)
        self.load()

    @errors_shown()
    def compare(self) -> None:
        """Compare the groups in a thread, and show what was found."""
        settings = self.form.settings()
        self.run_on_study(
            "comparing groups",
            lambda steps, study, report: steps.compare(study, settings, report=report),
            self._on_compared,
        )

    def write_report(self) -> None:
        """Write the report in a thread, and open it."""
        self.run_on_study(
            "writing the report", lambda steps, study, report: steps.make_report(study, report=report), open_page
        )

    def take_intervals(self, layer: Layer | None) -> None:
        """Read intervals from a Labels or Shapes layer in a thread, and let the next comparison use them."""
        with errors_shown():
            study = self.session.saved_study()
            video, recording = self._shown_recording()
            if layer is None:
                raise StudyError("No layer is selected. Select the Labels or Shapes layer in which it is drawn.")
            drawn, path = read_drawn(layer, video), study.folder / INTERVALS_FILE

            def step(report: Report) -> int:
                found = intervals_drawn(drawn, recording.name, report)
                replace_intervals(path, found, [r.name for r in study.recordings])
                return len(found)

            def show(n: int) -> str:
                self.form.show_settings(self.form.settings().model_copy(update={"intervals": str(path)}))
                return f"{n} intervals of {recording.name} are in {path}. Compare uses them."

            self.run_step("reading intervals", step, show)

    def _shown_recording(self) -> tuple[Layer, Recording]:
        shown = shown_recording(self.viewer, self.session.recordings)
        if shown is None:
            raise StudyError("No recording of the study is shown. Open the one that the layer was drawn over.")
        return shown

    def load(self) -> None:
        """Show what is in the study, which is read in a thread: its tables may have a row for every frame."""
        study = self.session.study
        if study is None:
            self._show_compared(None)
            return

        def read(report: Report) -> Compared | UbamError | None:
            try:
                return load_compared(study)
            except UbamError as error:
                return error

        self.run_step("reading results", read, self._on_read)

    def _on_read(self, found: Compared | UbamError | None) -> None:
        if isinstance(found, UbamError):
            tell_error(found)
            found = None
        self._show_compared(found)

    def _show_compared(self, compared: Compared | None) -> None:
        self.compared = compared
        self._show_findings()
        self._on_shown_changed()
        self._on_running_changed(self.worker is not None)

    def _show_findings(self) -> None:
        first, *others = self._told()
        self.hint.setText(first)
        self.findings.setPlainText("\n\n".join([first, *others]))

    @errors_shown()
    def show_subject(self, subject: str) -> None:
        """Open the recording of a subject at the moment in which it deviates most."""
        if self.compared is not None:
            self._show(*self.compared.most_deviating(subject))

    def _show(self, recording: str, frame: int) -> None:
        self.opening.show(self.session.saved_study().recording(recording), frame)

    def _told(self) -> list[str]:
        """Say what was found in sentences, the most important one first."""
        if self.compared is None:
            reading = self.session.study is not None and self.worker is not None
            return ["" if reading else self.session.hint or "The groups are not compared yet: press Compare."]
        if not self.compared.is_of(self.session.recordings):
            return [_OTHERS]
        tables = self.compared.tables
        return findings(
            self.compared.scores,
            tables["Two groups each"],
            self.compared.reference,
            overall=tables["All groups"],
            sessions=tables["Sessions"],
        )

    def _on_compared(self, problems: list[Problem]) -> None:
        warn_of_problems(problems)
        self.load()

    def _on_study_changed(self) -> None:
        """Show no longer what was found in another study."""
        self.load()
        self._show_compared(None)

    def _on_study_saved(self, before: Study) -> None:
        if before.reference != self.session.reference:
            self.load()
        else:  # subjects may be in other groups, and groups have other colours
            self._show_findings()
            self._on_shown_changed()

    def _on_shown_changed(self) -> None:
        colours = group_colours(self.session.recordings)
        if self.compared is None:
            self.plot.show_scores(None, self.measure.currentText(), "", colours)
            return
        self.plot.show_scores(self.compared.scores, self.measure.currentText(), self.compared.reference, colours)
        self.table.show_table(self.compared.tables[self.which.currentText()])

    @errors_shown()
    def _on_row_clicked(self, number: int) -> None:
        clicked = self.table.table.iloc[number]
        if {"recording", "frame"} <= set(clicked.index):
            self._show(str(clicked["recording"]), int(clicked["frame"]))
        elif "subject" in clicked.index:
            self.show_subject(str(clicked["subject"]))

    def _on_run_clicked(self) -> None:
        self.compare()

    def _on_layer_clicked(self) -> None:
        self.take_intervals(self.viewer.layers.selection.active)

    def _on_report_clicked(self) -> None:
        self.write_report()

    def _on_running_changed(self, running: bool) -> None:
        ready = self.session.study is not None and not running
        self.run_button.setEnabled(ready)
        self.layer_button.setEnabled(ready)
        self.report_button.setEnabled(ready and self.compared is not None)


def open_page(path: Path) -> None:
    """Open a page in the user's browser."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))


def _page(choice: QWidget, shown: QWidget) -> QWidget:
    """Put what is shown below what is chosen."""
    page = QWidget()
    layout = QVBoxLayout(page)
    layout.setContentsMargins(0, 4, 0, 0)
    layout.addWidget(choice)
    layout.addWidget(shown, 1)
    return page
