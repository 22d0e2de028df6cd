import subprocess
import sys
from pathlib import Path

import pytest

import ganutils
from ganutils.cli import main
from ganutils.commands import _check, read_values
from ganutils.errors import ParameterError
from ganutils.params import parameters_cell
from ganutils.runs import RunDir
from ganutils.variants import dcgan

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "notebooks" / "dcgan.ipynb"
TOY = [
    *("-p", "dataset", "shapes"),
    *("-p", "n_images", "40"),
    *("-p", "batch_size", "20"),
    *("-p", "width", "4"),
    *("-p", "n_samples", "4"),
    *("-p", "epochs", "1"),
]


def test_run_trains_and_says_where(capsys, tmp_path):
    assert main(["run", "dcgan", *TOY, "-p", "run", "mine"]) == 0
    assert RunDir(tmp_path / "mine").history().step == 2
    assert "mine: 1 of 1 epochs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-p", "epochs", "0"], "epochs='0'"),
        (["-p", "epochs", "-2"], "epochs='-2'"),
        (["-p", "epochs", "ten"], "epochs='ten'"),
        (["-p", "batch_size", "41"], "batch_size=41"),
        (["-p", "classes", "circel"], "circle"),
        (["-p", "dataset", "shape"], "did you mean 'shapes'?"),
        (["-p", "prior", "gaus"], "prior='gaus'"),
        (["-p", "image_size", "48"], "image_size=48"),
        (["-p", "dataset", "image_folder", "-p", "data_dir", "missing"], "missing"),
        (["-p", "dataset", "image_folder", "-p", "data_dir", "notebooks"], "notebooks"),
        (["-p", "learning_rate", "0"], "learning_rate='0'"),
        (["-p", "device", "mps"], "device='mps'"),
        (["-p", "run", "a_file/run"], "cannot be written"),
    ],
)
def test_bad_input_is_one_clear_line_and_leaves_nothing(arguments, message, capsys, tmp_path):
    (tmp_path / "a_file").write_text("")
    assert main(["run", "dcgan", *TOY, *arguments]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert "Traceback" not in error
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["-p", "epochs", "0"], "epochs='0'"), (["-p", "batch_size", "41"], "batch_size=41")],
)
def test_bad_input_of_a_report_is_one_line_and_leaves_nothing(arguments, message, capsys, tmp_path):
    command = ["report", str(NOTEBOOK), "--output", str(tmp_path / "reports"), *TOY, *arguments]
    assert main(command) == 1
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1
    assert not list(tmp_path.glob("reports/*"))
    assert not (tmp_path / "runs").exists()


def test_a_report_checks_values_beside_those_of_the_notebooks_own_cell(tmp_path):
    """Clipping is what `compile` needs; the edited cell has it, the defaults have not."""
    source = (ROOT / "notebooks" / "wgan.ipynb").read_text()
    edited = source.replace('constraint: str = \\"penalty\\"', 'constraint: str = \\"clip\\"')
    assert edited != source
    (tmp_path / "mine.ipynb").write_text(edited)
    _check(tmp_path / "mine.ipynb", {"compile": "true"})
    with pytest.raises(ParameterError, match="needs constraint='clip'"):
        _check(ROOT / "notebooks" / "wgan.ipynb", {"compile": "true"})


def test_a_timeout_that_is_no_number_is_told(capsys):
    with pytest.raises(SystemExit):
        main(["report", "x.ipynb", "--timeout", "soon"])
    assert "--timeout: 'soon': must be a whole number of seconds, 1 or more" in capsys.readouterr().err


def test_a_run_folder_of_another_experiment(capsys):
    assert main(["run", "dcgan", *TOY, "-p", "run", "mine"]) == 0
    assert main(["run", "dcgan", *TOY, "-p", "run", "mine", "-p", "seed", "1"]) == 1
    assert "seed: 0 there, 1 now" in capsys.readouterr().err


def test_presets_and_pairs_merge_and_the_later_wins(tmp_path):
    preset = tmp_path / "preset.yaml"
    preset.write_text("epochs: 3\nlearning_rate: 1e-4\n")
    values = read_values([preset], [("epochs", "4")])
    assert dcgan.Params(**values).epochs == 4
    assert dcgan.Params(**values).learning_rate == 1e-4


def test_a_students_number_keeps_its_zeros(tmp_path):
    preset = tmp_path / "preset.yaml"
    preset.write_text("student_id: 0123456\ncourse: 12:30\nseed: 10\nepochs: +3\ndate: 2026-01-02\n")
    params = dcgan.Params(**read_values([preset], []))
    assert (params.student_id, params.course, params.seed, params.epochs) == ("0123456", "12:30", 10, 3)
    assert params.date == "2026-01-02"


@pytest.mark.parametrize("text", ["- a\n- b", "a: [", "!!python/object/apply:os.getcwd []", "1: 2"])
def test_a_preset_that_is_no_mapping(tmp_path, text):
    preset = tmp_path / "preset.yaml"
    preset.write_text(text)
    with pytest.raises(ParameterError, match=r"preset\.yaml"):
        read_values([preset], [])


def test_params_prints_the_cell(capsys):
    assert main(["params", "dcgan"]) == 0
    assert capsys.readouterr().out.strip() == parameters_cell(dcgan.Params)


def test_help_starts_without_torch():
    code = "import sys, ganutils.cli; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_package_loads_nothing_before_it_is_used():
    code = (
        "import sys, ganutils; loaded = {'torch', 'numpy', 'matplotlib', 'IPython', 'nbconvert', 'openvino'} "
        "& sys.modules.keys(); assert not loaded, loaded; ganutils.load_dataset; "
        "assert 'torch' in sys.modules and 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_trainings_start_without_the_compiler(tmp_path):
    """Its import takes longer than their first epoch."""
    code = """
import sys
import ganutils as gu
from ganutils import variants
for name in variants.names():
    small = {"dataset": "shapes", "classes": "", "n_images": 40, "epochs": 1, "batch_size": 8, "width": 4}
    params = variants.get(name).Params(**small, ema=0.9, run=name)
    data = gu.load_dataset(params)
    gu.train(gu.build(params, data), data, params, gu.RunDir.open(params, data))
    loaded = {"torch._dynamo", "torch._inductor", "sympy"} & sys.modules.keys()
    assert not loaded, (name, loaded)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_a_command_that_ends_spares_what_it_imported():
    code = "import gc; from ganutils.cli import command; command(); print(gc.get_freeze_count())"
    wrong = ["run", "dcgan", "-p", "epochs", "0"]  # torch is imported before it is told
    ended = subprocess.run([sys.executable, "-c", code, *wrong], capture_output=True, text=True)
    assert "epochs" in ended.stderr
    assert int(ended.stdout.split()[-1]) > 100_000


def test_a_command_that_compiled_something_ends_without_a_word():
    """Triton tells of each of its objects that is not collected."""
    pytest.importorskip("triton")  # torch brings it on Linux alone
    code = "import sys, triton; from ganutils.cli import command; sys.exit(command())"
    ended = subprocess.run([sys.executable, "-c", code, "params", "dcgan"], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_every_name_of_the_package_can_be_loaded():
    assert "train" in ganutils.__all__
    for name in ganutils.__all__:
        found = getattr(ganutils, name)
        assert getattr(found, "__name__", "").rpartition(".")[2] == name
