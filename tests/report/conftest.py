import pytest
from report_cells import rich_notebook


@pytest.fixture(scope="session")
def rich():
    return rich_notebook()
