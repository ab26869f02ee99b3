"""The tables.  ``migrations/`` creates them; a test compares the two.

What people did (decision, event, guideline) is append-only: triggers refuse UPDATE and DELETE.  What says who works on
what now (lease, skip, draft, assignment) and what the answers to a task amount to (``task.answers``, ``waits``,
``error``, ``last``; see ``summary``) changes in the same transactions.  ``sample.content`` names a row by what it
holds, so that its answers are found again in another split or a corrected file; ``person`` says which spellings are one
person.  Times are seconds since 1970 in UTC, the same number on both databases.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Boolean, Column, Double, ForeignKey, Index, Integer, String, Text, UniqueConstraint

APPEND_ONLY = ("decision", "event", "guideline")

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

dataset = sa.Table(
    "dataset",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("fingerprint", String(64), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("class_names", sa.JSON, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("created_by", Text, nullable=False),
)

sample = sa.Table(
    "sample",
    metadata,
    Column("dataset_id", ForeignKey("dataset.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("given_label", Integer, nullable=False),
    Column("content", String(32), index=True),
    UniqueConstraint("dataset_id", "name"),
)

run = sa.Table(
    "run",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("dataset_id", ForeignKey("dataset.id"), nullable=False, index=True),
    Column("model", Text, nullable=False),
    Column("settings", sa.JSON, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("metrics", sa.JSON, nullable=False),
    Column("gradient_norm", Double),
    Column("trust", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("created_by", Text, nullable=False),
)

prediction = sa.Table(
    "prediction",
    metadata,
    Column("run_id", ForeignKey("run.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("predicted_label", Integer, nullable=False),
    Column("suggested_label", Integer, nullable=False),
    Column("p_given", Double, nullable=False),
    Column("p_suggested", Double, nullable=False),
    Column("label_score", Double, nullable=False),
    Column("is_label_issue", Boolean, nullable=False),
    Column("likely", sa.JSON(none_as_null=True)),
)

score = sa.Table(
    "score",
    metadata,
    Column("run_id", ForeignKey("run.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("signal", String(64), primary_key=True),
    Column("value", Double, nullable=False),
    Column("percentile", Double, nullable=False),
    sqlite_with_rowid=False,
)

queue = sa.Table(
    "queue",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("dataset_id", ForeignKey("dataset.id"), nullable=False),
    Column("run_id", ForeignKey("run.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("strategy", String(64), nullable=False),
    Column("overlap", Integer, nullable=False),
    Column("control_fraction", Double, nullable=False),
    Column("blind", Boolean, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("created_by", Text, nullable=False),
    UniqueConstraint("dataset_id", "version"),
)

task = sa.Table(
    "task",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("queue_id", ForeignKey("queue.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("place", Integer, nullable=False),
    Column("is_control", Boolean, nullable=False),
    Column("duplicates", Integer),
    Column("answers", Integer, nullable=False, server_default="0"),
    Column("waits", Integer, nullable=False, server_default="0"),
    Column("error", Integer),
    Column("last", Integer),
    UniqueConstraint("queue_id", "position"),
    UniqueConstraint("queue_id", "place"),
    Index(None, "queue_id", "duplicates"),
)

lease = sa.Table(
    "lease",
    metadata,
    Column("task_id", ForeignKey("task.id"), primary_key=True),
    Column("queue_id", ForeignKey("queue.id"), nullable=False),
    Column("annotator", String(200), nullable=False),
    Column("token", String(32), nullable=False),
    Column("round", Integer, nullable=False),
    Column("served_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    UniqueConstraint("queue_id", "annotator"),
)

skip = sa.Table(
    "skip",
    metadata,
    Column("task_id", ForeignKey("task.id"), primary_key=True),
    Column("annotator", String(200), primary_key=True),
    Column("skipped_at", Double, nullable=False),
    Column("until", Integer, nullable=False),
)

decision = sa.Table(
    "decision",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("queue_id", ForeignKey("queue.id"), nullable=False),
    Column("task_id", ForeignKey("task.id"), nullable=False),
    Column("annotator", String(200), nullable=False),
    Column("action", String(16), nullable=False),
    Column("new_label", Integer),
    Column("note", Text, nullable=False),
    Column("origin", String(20), nullable=False),
    Column("saw_suggestion", Boolean, nullable=False),
    Column("stage", String(8), nullable=False),
    Column("round", Integer, nullable=False),
    Column("served_at", Double, nullable=False),
    Column("decided_at", Double, nullable=False),
    Column("lead_time", Double, nullable=False),
    Column("token", String(64), nullable=False),
    Column("supersedes", ForeignKey("decision.id"), index=True),
    Column("undoes", ForeignKey("decision.id"), unique=True),
    UniqueConstraint("task_id", "annotator", "token"),
    Index(None, "queue_id", "annotator"),
)

draft = sa.Table(
    "draft",
    metadata,
    Column("task_id", ForeignKey("task.id"), primary_key=True),
    Column("annotator", String(200), primary_key=True),
    Column("note", Text, nullable=False),
)

person = sa.Table(
    "person",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("spelling", String(200), nullable=False, unique=True),
    Column("key", Text, nullable=False, index=True),
)

assignment = sa.Table(
    "assignment",
    metadata,
    Column("queue_id", ForeignKey("queue.id"), primary_key=True),
    Column("annotator", String(200), primary_key=True),
)

guideline = sa.Table(
    "guideline",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("dataset_id", ForeignKey("dataset.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("created_by", Text, nullable=False),
    UniqueConstraint("dataset_id", "version"),
)

event = sa.Table(
    "event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Double, nullable=False),
    Column("annotator", String(200), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("dataset_id", ForeignKey("dataset.id"), index=True),
    Column("detail", sa.JSON, nullable=False),
)
