"""One series' rows in a table that is keyed by label and series.

The labels of a table are few (hours, days, weeks), its series many. So a series' rows are found by
hopping from one label that any series has to the next: two look-ups each.
"""

from fluxd.store.places import LATEST, SERIES_BITS


def by_label(table: str, columns: str, condition: str = "TRUE") -> str:
    """Return SQL for a series' rows, in the order of their labels.

    Its parameters are `series`, and the labels (s) `first` and `last`, both included; `columns` and
    `condition` may name those of the table, `label`, and parameters of their own.
    """
    return f"""
    WITH RECURSIVE labels (label) AS (
      SELECT (SELECT min(place) FROM {table}
              WHERE place >= :first << {SERIES_BITS}) >> {SERIES_BITS}
      UNION ALL
      SELECT (SELECT min(place) FROM {table}
              WHERE place >= (labels.label + 1) << {SERIES_BITS}) >> {SERIES_BITS}
      FROM labels WHERE labels.label < :last
    )
    SELECT {columns} FROM labels CROSS JOIN {table}
    WHERE place = (labels.label << {SERIES_BITS}) + :series AND labels.label <= :last
      AND {condition}
    """


def anywhere(series: int) -> dict[str, int]:
    """Return the parameters for all labels of a series."""
    return {"series": series, "first": 0, "last": LATEST}
