import pytest
import torch
from torchvision.ops import box_iou

from tenphases.detection import (
    average_precision,
    match,
    mean_average_precision,
    precision_recall,
)

# five objects in a row, ten pixels wide
PLACES = torch.tensor([[20.0 * i, 0, 20 * i + 10, 10] for i in range(5)])


def boxes(places, labels, scores=None):
    found = {"boxes": PLACES[places], "labels": torch.tensor(labels)}
    if scores is not None:
        found["scores"] = torch.tensor(scores)
    return found


def nothing():
    return {
        "boxes": torch.empty(0, 4),
        "labels": torch.empty(0, dtype=torch.int64),
        "scores": torch.empty(0),
    }


TRUTH = boxes([0, 1, 2], [1, 1, 2])


def test_perfect_is_one_and_nothing_right_is_zero():
    perfect = TRUTH | {"scores": torch.tensor([0.9, 0.2, 0.5])}
    assert mean_average_precision([perfect], [TRUTH]) == 1
    elsewhere = boxes([3, 4], [1, 2], [0.9, 0.8])
    assert mean_average_precision([elsewhere], [TRUTH]) == 0
    misread = boxes([0, 1, 2], [2, 2, 1], [0.9, 0.9, 0.9])
    assert mean_average_precision([misread], [TRUTH]) == 0
    assert mean_average_precision([nothing()], [TRUTH]) == 0
    assert average_precision([nothing(), perfect], [nothing(), TRUTH]) == 1


def test_second_box_on_an_object_is_a_mistake():
    twice = boxes([0, 0], [1, 1], [0.6, 0.9])
    truth = boxes([0, 1], [1, 1])
    assert match(twice, truth).tolist() == [-1, 0]
    precision, recall, scores = precision_recall([twice], [truth], 1)
    assert precision.tolist() == [1, 0.5] and recall.tolist() == [0.5, 0.5]
    torch.testing.assert_close(scores, torch.tensor([0.9, 0.6]))
    assert average_precision([twice], [truth], 1) == 0.5


def test_worked_example():
    # six guesses over two images, by falling score: hit, miss, hit, hit, miss, hit;
    # five objects, of which one is never found
    predictions = [
        boxes([0, 3, 1], [0, 0, 0], [0.95, 0.9, 0.7]),
        boxes([0, 4, 2], [0, 0, 0], [0.8, 0.6, 0.5]),
    ]
    truths = [boxes([0, 1], [0, 0]), boxes([0, 1, 2], [0, 0, 0])]
    precision, recall, _ = precision_recall(predictions, truths, 0)
    expected = torch.tensor([1 / 1, 1 / 2, 2 / 3, 3 / 4, 3 / 5, 4 / 6])
    torch.testing.assert_close(precision, expected)
    torch.testing.assert_close(recall, torch.tensor([1, 1, 2, 3, 3, 4]) / 5)
    area = (1 + 3 / 4 + 3 / 4 + 4 / 6) / 5
    assert average_precision(predictions, truths, 0) == pytest.approx(area)
    assert mean_average_precision(predictions, truths) == pytest.approx(area)


def test_mean_is_over_the_classes_of_the_truths():
    half = boxes([0, 2, 3], [1, 2, 7], [0.9, 0.8, 0.99])  # 7 does not occur
    assert average_precision([half], [TRUTH], 1) == 0.5
    assert average_precision([half], [TRUTH], 2) == 1
    assert mean_average_precision([half], [TRUTH]) == 0.75
    # without a label, boxes of all classes stand in one list
    assert average_precision([half], [TRUTH]) == pytest.approx(2 * (2 / 3) / 3)


def test_threshold():
    shifted = boxes([0], [0], [0.9])
    shifted["boxes"] = shifted["boxes"] + torch.tensor([2.0, 0, 2, 0])
    truth = boxes([0], [0])
    assert box_iou(shifted["boxes"], truth["boxes"]).item() == pytest.approx(2 / 3)
    assert mean_average_precision([shifted], [truth], iou=0.6) == 1
    assert mean_average_precision([shifted], [truth], iou=0.7) == 0


def test_a_box_takes_the_best_object_that_is_free():
    near = {"boxes": torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 12]])}
    near |= {"labels": torch.tensor([0, 0])}
    guess = {
        "boxes": torch.tensor([[0.0, 0, 10, 12], [0, 0, 10, 11]]),
        "labels": torch.tensor([0, 0]),
        "scores": torch.tensor([0.9, 0.8]),
    }
    assert match(guess, near).tolist() == [1, 0]


def test_what_cannot_be_measured():
    with pytest.raises(ValueError, match="no true box"):
        mean_average_precision([nothing()], [nothing()])
    with pytest.raises(ValueError, match="no true box"):
        average_precision([nothing()], [TRUTH], label=9)
    with pytest.raises(ValueError):
        precision_recall([nothing()], [TRUTH, TRUTH])


def test_agrees_with_pycocotools():
    coco = pytest.importorskip("pycocotools.coco")
    from pycocotools.cocoeval import COCOeval

    torch.manual_seed(0)
    truths, predictions = [], []
    for _ in range(40):
        corner = 80 * torch.rand(6, 2)
        sides = 10 + 30 * torch.rand(6, 2)
        place = torch.cat([corner, corner + sides], dim=1)
        truths.append({"boxes": place, "labels": torch.randint(3, (6,))})
        guess = place.repeat(2, 1) + 4 * torch.randn(12, 4)
        labels = truths[-1]["labels"].repeat(2)
        labels = torch.where(torch.rand(12) < 0.3, torch.randint(3, (12,)), labels)
        scores = torch.rand(12)
        predictions.append({"boxes": guess, "labels": labels, "scores": scores})

    def rows(parts):
        for i, part in enumerate(parts):
            for j, (x, y, u, v) in enumerate(part["boxes"].tolist()):
                row = {"image_id": i, "category_id": int(part["labels"][j])}
                row |= {"bbox": [x, y, u - x, v - y], "area": (u - x) * (v - y)}
                if "scores" in part:
                    row["score"] = float(part["scores"][j])
                yield row | {"iscrowd": 0}

    known = coco.COCO()
    known.dataset = {
        "images": [{"id": i} for i in range(40)],
        "categories": [{"id": i} for i in range(3)],
        "annotations": [r | {"id": n} for n, r in enumerate(rows(truths), start=1)],
    }
    known.createIndex()
    judge = COCOeval(known, known.loadRes(list(rows(predictions))), "bbox")
    judge.evaluate()
    judge.accumulate()
    # (thresholds, recalls, classes, areas, most): COCO reads 101 recalls, not all
    theirs = judge.eval["precision"][:, :, :, 0, -1].mean(axis=(1, 2))
    for i, iou in ((0, 0.5), (5, 0.75)):
        ours = mean_average_precision(predictions, truths, iou)
        assert ours == pytest.approx(theirs[i], abs=0.01)
