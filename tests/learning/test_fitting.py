import csv
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from deepscribble.errors import InvalidInput, ModelRefused
from deepscribble.learning import Plan
from deepscribble.learning.fitting import JUDGED_PATCHES, composed, fit, loss_of
from deepscribble.learning.patches import Lesson
from deepscribble.models import Card


class Stripes(Dataset[Lesson]):
    """Stripes to be found by their brightness; `until` ends like a crash."""

    def __init__(self, until: int = 10**9, value: float = 1.0) -> None:
        self.until = until
        self.value = value

    def __getitem__(self, number: int) -> Lesson:
        if number >= self.until:
            raise RuntimeError("crash")
        truth = (torch.arange(32) // 4 % 2).float().expand(1, 32, 32).roll(number, 2)
        blank = torch.zeros(1, 32, 32)
        return Lesson(
            (truth - 0.5).expand(3, 32, 32) * self.value,
            truth,
            blank,
            torch.ones_like(blank),
            torch.zeros(32, 32, dtype=torch.uint8),
            number,
        )


def network() -> torch.nn.Module:
    torch.manual_seed(4)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, padding=1),
        torch.nn.BatchNorm2d(4),
        torch.nn.Dropout2d(0.2),
        torch.nn.Conv2d(4, 1, 1),
    )


def test_fitting_learns(tmp_path: Path, guide_card: Card) -> None:
    lesson = Stripes()[0]
    batch = lesson._replace(**{name: getattr(lesson, name)[None] for name in lesson._fields[:5]})
    before = network().eval()
    after = fit(network(), guide_card, Stripes(), Plan(epochs=2, rate=2e-2), tmp_path)
    assert not after.training
    with torch.no_grad():
        bad, good = (loss_of(composed(found, batch), batch.truth) for found in (before, after))
    assert good < 0.6 * bad
    log = (tmp_path / "log" / "version_0" / "metrics.csv").read_text().splitlines()
    assert "loss" in log[0]


def test_a_killed_run_resumes_to_the_same_weights(tmp_path: Path, guide_card: Card) -> None:
    plan = Plan(epochs=3, rate=1e-2)
    whole = fit(network(), guide_card, Stripes(), plan, tmp_path / "whole")
    with pytest.raises(RuntimeError, match="crash"):
        fit(network(), guide_card, Stripes(plan.per_epoch + 40), plan, tmp_path / "cut")
    resumed = fit(network(), guide_card, Stripes(), plan, tmp_path / "cut", resume=True)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_minutes_end_a_run(tmp_path: Path, guide_card: Card) -> None:
    plan = Plan(minutes=1e-5)
    fit(network(), guide_card, Stripes(until=plan.per_epoch), plan, tmp_path)
    assert (tmp_path / "last.ckpt").is_file()


def test_an_answer_that_is_not_finite_stops_and_keeps_the_checkpoint(
    tmp_path: Path, guide_card: Card
) -> None:
    fit(network(), guide_card, Stripes(), Plan(epochs=1), tmp_path)
    kept = (tmp_path / "last.ckpt").read_bytes()
    with pytest.raises(ModelRefused, match="answer is NaN"):
        fit(
            network(),
            guide_card,
            Stripes(value=float("nan")),
            Plan(epochs=2),
            tmp_path,
            resume=True,
        )
    assert (tmp_path / "last.ckpt").read_bytes() == kept


def test_nothing_to_resume_is_said(tmp_path: Path, guide_card: Card) -> None:
    with pytest.raises(InvalidInput, match=r"last\.ckpt is not there"):
        fit(network(), guide_card, Stripes(), Plan(epochs=1), tmp_path, resume=True)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_refused(tmp_path: Path, guide_card: Card) -> None:
    with pytest.raises(InvalidInput, match="cuda is not available"):
        fit(network(), guide_card, Stripes(), Plan(epochs=1, device="cuda"), tmp_path)


@pytest.mark.parametrize(
    "kwargs", [{}, {"epochs": 1, "minutes": 1.0}, {"epochs": 0}, {"minutes": float("nan")}]
)
def test_plans_without_a_duration_are_refused(kwargs) -> None:
    with pytest.raises(InvalidInput, match=r"epochs|minutes"):
        Plan(**kwargs)


def test_the_answer_is_the_prior_where_no_stroke_reaches() -> None:
    prior = torch.rand(1, 1, 8, 8)
    reach = torch.zeros(1, 1, 8, 8)
    reach[..., :4] = 1
    blank = torch.zeros(1, 8, 8)
    lesson = Lesson(torch.randn(1, 3, 8, 8), prior, prior, reach, blank, 0)
    logits = torch.nn.Conv2d(3, 1, 1)
    answer = composed(logits, lesson)
    assert torch.equal(answer[..., 4:], prior[..., 4:])
    expected = torch.sigmoid(logits(lesson.inputs))
    assert torch.allclose(answer[..., :4], expected[..., :4])


def test_a_run_stops_when_other_images_gain_no_more_and_keeps_the_best(
    tmp_path: Path, guide_card: Card
) -> None:
    # What is judged contradicts what is learned, so that it only gets worse.
    plan = Plan(epochs=12, rate=2e-2, patience=2)
    opposed = Stripes(value=-1.0)
    after = fit(network(), guide_card, Stripes(), plan, tmp_path, judged=opposed)
    (log,) = (tmp_path / "log").glob("*/metrics.csv")
    rows = list(csv.DictReader(log.open()))
    judged = [float(row["val_loss"]) for row in rows if row["val_loss"]]
    assert len(judged) < 8
    with torch.no_grad():
        batches = DataLoader([opposed[n] for n in range(JUDGED_PATCHES)], batch_size=8)
        kept = [float(loss_of(composed(after, batch), batch.truth)) for batch in batches]
    assert sum(kept) / len(kept) == pytest.approx(min(judged), rel=0.02)


def test_stopping_early_needs_other_images(tmp_path: Path, guide_card: Card) -> None:
    with pytest.raises(InvalidInput, match="no val images"):
        fit(network(), guide_card, Stripes(), Plan(epochs=1, patience=1), tmp_path)


FULL_DISK = """
import resource, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from test_fitting import Stripes, network
from deepscribble.errors import OutputRefused
from deepscribble.learning import Plan
from deepscribble.learning.fitting import fit
from deepscribble.models import read_card

out, card = Path({out!r}), read_card(Path({card!r}))
fit(network(), card, Stripes(), Plan(epochs=1), out)
# A file may not grow beyond this, as if the disk were full.
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    fit(network(), card, Stripes(), Plan(epochs=2), out, resume=True)
except OutputRefused as error:
    sys.exit(str(error))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are a POSIX affair")
def test_a_full_disk_is_said_and_the_last_checkpoint_stays(
    tmp_path: Path, guide_card: Card
) -> None:
    card = tmp_path / "card.json"
    card.write_text(guide_card.model_dump_json())
    code = FULL_DISK.format(
        tests=str(Path(__file__).parent), out=str(tmp_path / "run"), card=str(card)
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert "make room and go on with --resume" in ended.stderr
    fit(network(), guide_card, Stripes(), Plan(epochs=2), tmp_path / "run", resume=True)


@pytest.mark.parametrize("kwargs", [{"batch": 3, "devices": 2}, {"minutes": 1.0, "devices": 2}])
def test_devices_that_cannot_share_are_refused(kwargs) -> None:
    with pytest.raises(InvalidInput, match=r"batch|minutes"):
        Plan(**({"epochs": 1} | kwargs if "minutes" not in kwargs else kwargs))
