"""The annotators' store: queues of suspicious labels, leases, answers that are never lost, and exports.

It knows no model: scores come in as arrays, decisions go out as arrays and files.
"""

from influence_core.annotations.annotator_agreement import Estimate, Reliability, agreement, agreement_of
from influence_core.annotations.decisions import Decided, decide, decide_beside, undo
from influence_core.annotations.errors import AnnotationError, Refused, StoreUnavailable
from influence_core.annotations.exports import (
    Context,
    Original,
    export,
    read_csv,
    zipped,
)
from influence_core.annotations.importing import Imported, import_label_studio
from influence_core.annotations.listing import Item, items, told
from influence_core.annotations.overview import Overview, assign, everybody, has_queues, last_queue, overviews
from influence_core.annotations.people import (
    Activity,
    Guideline,
    activity,
    asks_for_key,
    guidelines,
    login,
    record,
    role,
    write_guideline,
)
from influence_core.annotations.queue_progress import Found, Progress, progress
from influence_core.annotations.queues import create_queue, get_queue, queues, ranks
from influence_core.annotations.records import ACTIONS, SIGN, Answer, Card, Only, Plan, Queue, Run, Said, Samples
from influence_core.annotations.resolving import Answers, Resolved, answers, consensus, resolve
from influence_core.annotations.runs import run_settings
from influence_core.annotations.servers import check_folder
from influence_core.annotations.serving import give_back, look, lookahead, next_card, save_draft, skip_card
from influence_core.annotations.standing import adopt, nameless_runs
from influence_core.annotations.store import Store, open_store
from influence_core.annotations.taking import find_card, take_card
from influence_core.annotations.team import Right, Workmanship, agreement_by_class, confusion, workers
from influence_core.annotations.widening import widen

__all__ = [
    "ACTIONS",
    "SIGN",
    "Activity",
    "Reliability",
    "AnnotationError",
    "Answer",
    "Answers",
    "Card",
    "Context",
    "Decided",
    "Estimate",
    "Found",
    "Guideline",
    "Imported",
    "Only",
    "Original",
    "Overview",
    "Item",
    "Plan",
    "Progress",
    "Queue",
    "Refused",
    "Resolved",
    "Right",
    "Run",
    "Said",
    "Samples",
    "Store",
    "StoreUnavailable",
    "Workmanship",
    "activity",
    "adopt",
    "agreement",
    "agreement_by_class",
    "agreement_of",
    "answers",
    "asks_for_key",
    "assign",
    "check_folder",
    "confusion",
    "consensus",
    "create_queue",
    "decide",
    "decide_beside",
    "everybody",
    "export",
    "find_card",
    "get_queue",
    "has_queues",
    "items",
    "last_queue",
    "give_back",
    "guidelines",
    "import_label_studio",
    "login",
    "look",
    "lookahead",
    "nameless_runs",
    "next_card",
    "open_store",
    "overviews",
    "progress",
    "queues",
    "ranks",
    "read_csv",
    "record",
    "resolve",
    "role",
    "run_settings",
    "save_draft",
    "skip_card",
    "take_card",
    "told",
    "undo",
    "widen",
    "workers",
    "write_guideline",
    "zipped",
]
