"""A notebook that is open in JupyterLab: what a person does there with mouse and keyboard."""

import re

import nbformat


class LabPage:
    """The page of one notebook in JupyterLab; `path` is the notebook's file, `shots` keeps screenshots."""

    def __init__(self, page, path, shots):
        self.page, self.path, self._shots = page, path, shots
        self.cells = page.locator(".jp-NotebookPanel .jp-CodeCell")
        self.cells.first.locator(".cm-line").first.wait_for()
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()

    def screenshot(self, name):
        self.page.screenshot(path=self._shots / f"{self.path.stem}-{name}.png")

    def show(self, cell):
        """Scroll a cell to the top; cells above it take their size when they are first seen."""
        for _ in range(3):
            cell.evaluate("cell => cell.scrollIntoView()")
            self.page.wait_for_timeout(200)

    def cell(self, text):
        """Return the code cell that contains a text."""
        return self.cells.filter(has=self.page.locator(".cm-content", has_text=text))

    def set_parameters(self, **values):
        """Type values into the parameters cell, in place of what stands there."""
        stored = nbformat.read(self.path, as_version=4)
        source = next(cell.source for cell in stored.cells if cell.cell_type == "code").split("\n")
        keyboard = self.page.keyboard
        self.cells.first.locator(".cm-line").first.click()
        keyboard.press("Control+Home")
        at = 0
        for row, line in enumerate(source):
            name = line.split(":")[0]
            if name not in values:
                continue
            for _ in range(row - at):  # the editor renders only the lines in sight: walk there
                keyboard.press("ArrowDown")
            at = row
            keyboard.press("Home")
            keyboard.press("Shift+End")
            keyboard.insert_text(re.sub("=.*", f"= {values.pop(name)!r}", line))
        assert not values, f"no parameters: {values}"

    def menu(self, *path):
        """Click through the menus; one that is not filled yet is opened again."""
        for _ in range(60):
            self.page.locator(".lm-MenuBar-item", has_text=path[0]).click()
            for name in path[1:-1]:
                self._entry(name).click()
            self.page.wait_for_timeout(500)
            if self._entry(path[-1]).is_visible():
                return self._entry(path[-1]).click()
            self.page.keyboard.press("Escape")
            self.page.keyboard.press("Escape")
        raise AssertionError(f"no menu entry {' > '.join(path)}")

    def _entry(self, name):
        exactly = re.compile(f"^{re.escape(name)}$")
        return self.page.locator(".lm-Menu-itemLabel", has_text=exactly)

    def wait_until_done(self, cell, seconds=180):
        """Wait until a cell that was started has run."""
        ran = cell.locator(".jp-InputPrompt").filter(has_text=re.compile(r"\[\d+\]:"))
        failed = self.page.locator(".jp-OutputArea-output[data-mime-type*=error]")
        ran.or_(failed).first.wait_for(timeout=1000 * seconds)
        assert not failed.count(), failed.first.inner_text()

    def saved(self):
        """Save the notebook and return it as it is in its file."""
        before = self.path.stat().st_mtime_ns
        self.menu("File", "Save Notebook")
        while self.path.stat().st_mtime_ns == before:
            self.page.wait_for_timeout(100)
        self.page.locator(".jp-mod-dirty").first.wait_for(state="hidden")
        return nbformat.read(self.path, as_version=4)

    def export(self, kind, path, seconds=120):
        """Export the notebook by the menu, as a kind that it lists, and save the download under `path`."""
        downloads = []
        # It comes in a window of its own, which closes at once.
        self.page.context.on("download", lambda one: downloads.append(one))
        self.menu("File", "Save and Export Notebook As", kind)
        for _ in range(10 * seconds):
            if downloads:
                return downloads[0].save_as(path)
            self.page.wait_for_timeout(100)
        raise AssertionError(f"no {kind} came back within {seconds} seconds")
