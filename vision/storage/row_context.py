"""What rows of results refer to: their items and their provenances, by key."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, select

from vision.storage.columns import AnyRow
from vision.storage.keys import KEYS_PER_QUERY, one_of
from vision.storage.tables import items, provenances


def items_of(connection: Connection, rows: Sequence[AnyRow]) -> dict[tuple[UUID, int], AnyRow]:
    """The items that the rows belong to, by job and item; not those of a job being erased.

    A second query by key rather than a join, which the planner could turn into a scan.
    """
    wanted: dict[UUID, set[int]] = defaultdict(set)
    for row in rows:
        wanted[row.job_id].add(row.item)
    query = select(items.c.job_id, items.c.item, items.c.asset_id, items.c.facts)
    by_job = list(wanted.items())
    found: dict[tuple[UUID, int], AnyRow] = {}
    for start in range(0, len(by_job), KEYS_PER_QUERY):
        chosen = query.where(one_of(by_job[start : start + KEYS_PER_QUERY], _is_in_job))
        found.update({(row.job_id, row.item): row for row in connection.execute(chosen)})
    return found


def digests_of(connection: Connection, rows: Sequence[AnyRow]) -> Mapping[int, str]:
    """By `provenance_id`."""
    used = {row.provenance_id for row in rows if row.provenance_id is not None}
    if not used:
        return {}
    known = select(provenances.c.id, provenances.c.digest).where(provenances.c.id.in_(used))
    return {row.id: row.digest for row in connection.execute(known)}


def _is_in_job(wanted: tuple[UUID, set[int]]) -> ColumnElement[bool]:
    job_id, indexes = wanted
    return (items.c.job_id == job_id) & items.c.item.in_(indexes)
