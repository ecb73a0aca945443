"""Receipts: the DuckDB query over the artifact root's Parquet files that gives the figures of a
part of a page. To be run where the root lies, or in ``nightmark sql``.
"""

from dataclasses import dataclass

from tasks.layout import NIGHTS, PairName, night_metrics
from tasks.metrics.scoring import Scoring
from tasks.night import Night, Outcome

ALL_NIGHTS = f"read_parquet('{NIGHTS}/*/metrics.parquet', union_by_name = true)"
RANKED = "target IS NOT NULL AND error IS NULL"
"""Samples that have a part in the figures."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where the figures of a part of a page come from.

    Attributes:
        id: of its element, once on a page.
        figures: which figures, as in "Where … come from".
        said: what the query reads.
        sql: the query, in DuckDB's words.
    """

    id: str
    figures: str
    said: str
    sql: str


def night_receipt(night: Night) -> Receipt:
    """Top-1 and top-5 of every pair of a night."""
    return Receipt(
        id="receipt-figures",
        figures="these figures",
        said="The night’s own table, as it was published.",
        sql=f"""SELECT model, dataset, split, metric, value, low, high, n, state, verdict
FROM read_parquet('{night_metrics(night.name)}')
WHERE scope = 'overall' AND metric IN ('top1', 'top5')
ORDER BY dataset, split, model, metric;""",
    )


def trend_receipt(metric: str = "top1", pair: PairName | None = None) -> Receipt:
    """An overall metric over all nights, of one pair or of all."""
    of_pair = "" if pair is None else f"\n  AND {_is_pair(pair)}"
    return Receipt(
        id=f"receipt-trend-{metric}",
        figures="these points",
        said="The tables of all nights, one row per night and pair.",
        sql=f"""SELECT night, dataset, split, model, value, low, high, n, state, verdict, quick
FROM {ALL_NIGHTS}
WHERE scope = 'overall' AND metric = '{metric}'{of_pair}
ORDER BY dataset, split, model, night;""",
    )


def overall_receipt(night: Night, pair: PairName) -> Receipt:
    """Every overall metric of a pair, and every one of its slices."""
    return Receipt(
        id="receipt-overall",
        figures="these figures",
        said="The night’s own table, as it was published.",
        sql=f"""SELECT metric, slice, value, low, high, n, state
FROM read_parquet('{night_metrics(night.name)}')
WHERE scope IN ('overall', 'slice') AND {_is_pair(pair)};""",
    )


def counted_receipt(scoring: Scoring) -> Receipt:
    """Top-1, top-5 and the losses of a pair, counted from its predictions once more."""
    if scoring.overlaid is not None:
        return Receipt(
            id="receipt-counted",
            figures="top-1 and top-5",
            said="The tallies under the corrected targets: how often the target had which rank.",
            sql=f"""SELECT sum(count) FILTER ("row" = 0) / sum(count) AS top1,
       sum(count) FILTER ("row" < 5) / sum(count) AS top5,
       sum(count) AS n
FROM read_parquet('{_tallies(scoring)}') WHERE tally = 'rank';""",
        )
    return Receipt(
        id="receipt-counted",
        figures="top-1, top-5 and the losses",
        said="The predictions of every image: the files that the evaluation’s record lists.",
        sql=f"""{_files(scoring)}
SELECT avg((target_rank = 0)::INT) AS top1,
       avg((target_rank < 5)::INT) AS top5,
       avg(nll::DOUBLE) AS nll,
       avg(sum_sq_prob::DOUBLE - 2 * target_prob::DOUBLE + 1) AS brier,
       count(*) AS n
FROM read_parquet(getvariable('files')) WHERE {RANKED};""",
    )


def classes_receipt(scoring: Scoring) -> Receipt:
    """Recall, precision, F1 and support of every class that has samples."""
    return Receipt(
        id="receipt-classes",
        figures="the figures of the classes",
        said="The tallies of the confusion matrix; classes are numbered as in the dataset.",
        sql=f"""WITH cells AS (
  SELECT "row" AS target, "column" AS prediction, count
  FROM read_parquet('{_tallies(scoring)}') WHERE tally = 'confusion'),
targets AS (SELECT target AS class, sum(count) AS n FROM cells GROUP BY ALL),
said AS (SELECT prediction AS class, sum(count) AS m FROM cells GROUP BY ALL),
hits AS (SELECT target AS class, count AS hits FROM cells WHERE target = prediction)
SELECT class, coalesce(hits, 0) / n AS recall, coalesce(hits, 0) / m AS "precision",
       2 * coalesce(hits, 0) / (n + coalesce(m, 0)) AS f1, n AS images
FROM targets LEFT JOIN said USING (class) LEFT JOIN hits USING (class)
ORDER BY recall, class;""",
    )


def confusion_receipt(scoring: Scoring) -> Receipt:
    """How often which class was taken for which, the most frequent mistakes first."""
    return Receipt(
        id="receipt-confusion",
        figures="these counts",
        said="The tallies of the confusion matrix; classes are numbered as in the dataset.",
        sql=f"""SELECT "row" AS target, "column" AS prediction, count
FROM read_parquet('{_tallies(scoring)}') WHERE tally = 'confusion'
ORDER BY target = prediction, count DESC, target, prediction;""",
    )


def mistakes_receipt(scoring: Scoring) -> Receipt:
    """The images that the model has wrong, the surest first; under the dataset's own targets."""
    return Receipt(
        id="receipt-mistakes",
        figures="these mistakes",
        said="The predictions of every image: the files that the evaluation’s record lists.",
        sql=f"""{_files(scoring)}
SELECT key, target, topk[1] AS prediction, topk_prob[1] AS probability, target_prob
FROM read_parquet(getvariable('files')) WHERE {RANKED} AND target_rank > 0
ORDER BY probability DESC, key LIMIT 100;""",
    )


def change_receipt(outcome: Outcome) -> Receipt | None:
    """The change of top-1 against the baseline, image by image; None where nothing was compared.

    It is that of the dataset's own targets, and of images that both evaluations have.
    """
    note = outcome.comparison
    if note is None or note.comparison is None or outcome.evaluation is None:
        return None
    ours = outcome.pair.name.evaluation(outcome.evaluation)
    theirs = note.baseline.name.evaluation(note.evaluation)
    return Receipt(
        id=f"receipt-change-{outcome.pair}",
        figures=f"the changes of {outcome.pair.model}",
        said="The predictions of both evaluations, joined by the images’ keys.",
        sql=f"""SET VARIABLE ours = (SELECT predictions FROM read_json('{ours}'));
SET VARIABLE theirs = (SELECT predictions FROM read_json('{theirs}'));
SELECT avg((c.target_rank = 0)::INT) - avg((b.target_rank = 0)::INT) AS difference,
       count(*) FILTER (c.target_rank = 0 AND b.target_rank > 0) AS fixed,
       count(*) FILTER (c.target_rank > 0 AND b.target_rank = 0) AS broken,
       count(*) AS n
FROM read_parquet(getvariable('ours')) AS c
JOIN read_parquet(getvariable('theirs')) AS b USING (key)
WHERE c.target IS NOT NULL AND c.error IS NULL AND b.error IS NULL;""",
    )


def _files(scoring: Scoring) -> str:
    record = scoring.pair.name.evaluation(scoring.evaluation)
    return f"SET VARIABLE files = (SELECT predictions FROM read_json('{record}'));"


def _tallies(scoring: Scoring) -> str:
    return f"{scoring.pair.name.scoring(scoring.id)}/tallies.parquet"


def _is_pair(pair: PairName) -> str:
    # Names of pairs hold no quote: tasks.layout checks them.
    split = pair.split
    return f"dataset = '{split.dataset}' AND split = '{split.split}' AND model = '{pair.model}'"
