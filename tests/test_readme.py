"""What the README shows works as it stands there."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL))
def test_its_python_runs(code: str):
    x = torch.randn(4, 5, 8)
    names: dict[str, object] = {"x": x, "lstm": nn.LSTM(8, 32, batch_first=True)}
    exec(code, names)
    assert tuple(names["output"].shape) == (4, 5, 32)  # type: ignore[attr-defined]


PAGES = [ROOT / "README.md", *sorted((ROOT / "results").glob("*.md"))]


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_its_links_lead_somewhere(path: Path):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text()):
        assert "://" in target or (path.parent / target).exists(), target


def test_it_names_every_script_and_every_column():
    from timing_tasks.results import COLUMNS

    for script in (ROOT / "reproduce").glob("*.py"):
        assert script.name in TEXT
    assert ", ".join(COLUMNS) in TEXT.replace("\n", " ")
