"""Rows named by content, people by any spelling, drafts, assignments; a tie is no error any more."""

from __future__ import annotations

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Tasks whose answers (of the second pass, if there are any) say as often wrong as right.
TIES = """
UPDATE task SET error = NULL WHERE error = 1 AND id IN (
    SELECT said.task_id FROM decision said
    WHERE said.stage = 'final' AND said.action NOT IN ('undo', 'review')
    AND NOT EXISTS (SELECT 1 FROM decision back WHERE back.undoes = said.id)
    GROUP BY said.task_id
    HAVING 2 * coalesce(
        avg(CASE WHEN said.round = 2 THEN CASE WHEN said.action = 'keep' THEN 0.0 ELSE 1.0 END END),
        avg(CASE WHEN said.action = 'keep' THEN 0.0 ELSE 1.0 END)
    ) = 1
)
"""


def upgrade() -> None:
    """Add columns and tables; every row stays as it is."""
    op.add_column("sample", sa.Column("content", sa.String(length=32), nullable=True))
    op.create_index(op.f("ix_sample_content"), "sample", ["content"], unique=False)
    op.add_column("prediction", sa.Column("likely", sa.JSON(), nullable=True))
    op.create_index(op.f("ix_decision_supersedes"), "decision", ["supersedes"], unique=False)
    _create_draft()
    _create_assignment()
    _create_person()
    op.execute(TIES)


def _create_draft() -> None:
    op.create_table(
        "draft",
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("annotator", sa.String(length=200), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_draft_task_id")),
        sa.PrimaryKeyConstraint("task_id", "annotator", name=op.f("pk_draft")),
    )


def _create_assignment() -> None:
    op.create_table(
        "assignment",
        sa.Column("queue_id", sa.Integer(), nullable=False),
        sa.Column("annotator", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_assignment_queue_id")),
        sa.PrimaryKeyConstraint("queue_id", "annotator", name=op.f("pk_assignment")),
    )


def _create_person() -> None:
    """Everybody who has answered or come so far, the first spelling of each first."""
    person = op.create_table(
        "person",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("spelling", sa.String(length=200), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("spelling", name=op.f("uq_person_spelling")),
    )
    op.create_index(op.f("ix_person_key"), "person", ["key"], unique=False)
    answered = sa.text("SELECT annotator, min(id) FROM decision GROUP BY annotator ORDER BY 2")
    came = sa.text("SELECT annotator, min(id) FROM event GROUP BY annotator ORDER BY 2")
    connection = op.get_bind()
    names = dict.fromkeys(row[0] for wanted in (answered, came) for row in connection.execute(wanted))
    rows = [{"spelling": name, "key": _key(name)} for name in names]
    if rows:
        op.bulk_insert(person, rows)


def _key(name: str) -> str:
    folded = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())
