"""Which column of a file is which of our fields, guessed by its name."""

import re
from collections.abc import Sequence

# our field -> what people call it, and what columns are called that hold it
FIELDS = {
    "title": "Title",
    "notes": "Notes",
    "priority": "Priority",
    "due_on": "Due",
    "complete": "Complete",
    "completed_at": "Completed at",
    "owner": "Owner",
    "assignees": "Assigned to",
    "tags": "Tags",
    "id": "Number or id",
    "created_at": "Created at",
    "updated_at": "Changed at",
}
SYNONYMS = {
    "title": "title content summary task todo name subject what",
    "notes": "notes note description details body comment",
    "priority": "priority prio importance",
    "due_on": "dueon due duedate duedateutc deadline date",
    "complete": "complete completed done finished status",
    "completed_at": "completedat completedon datecompleted completiondate completed",
    "owner": "owner",
    "assignees": "assignees assignee assignedto responsible people attendee who",
    "tags": "tags tag tagnames labels label categories",
    "id": "id uid key",
    "created_at": "createdat created createdon",
    "updated_at": "updatedat updated modified lastmodified changedat",
}
Mapping = dict[str, str]  # our field -> a column of the file


def guess(columns: Sequence[str]) -> Mapping:
    """Return which columns are which of our fields, as far as their names tell."""
    names = {re.sub(r"[\W_]", "", column.lower()): column for column in reversed(columns)}
    found: Mapping = {}
    for field, words in SYNONYMS.items():
        column = next((names[word] for word in words.split() if word in names), None)
        if column is not None and column not in found.values():
            found[field] = column
    return found


def cleaned(wanted: Mapping, columns: Sequence[str]) -> Mapping:
    """Return the part of a mapping that names our fields and the file's columns."""
    return {field: wanted[field] for field in FIELDS if wanted.get(field) in columns}
