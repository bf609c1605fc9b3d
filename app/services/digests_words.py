"""The words of the morning mail in each language that people can choose."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """What a mail says around the todos; `{}` is the number of them, the first name, or an address."""

    hello: str
    counts: dict[str, str]
    headings: dict[str, str]
    priorities: dict[str, str]
    everything: str
    stop: str


WORDS = {
    "en": Words(
        hello="Good morning, {}.",
        counts={"overdue": "{} overdue", "today": "{} due today", "soon": "{} due soon"},
        headings={"overdue": "Overdue", "today": "Due today", "soon": "Due soon"},
        priorities={"urgent": "urgent", "high": "high"},
        everything="All your todos: {}",
        stop="No more of these mails: {}",
    ),
    "de": Words(
        hello="Guten Morgen, {}.",
        counts={"overdue": "{} überfällig", "today": "{} heute fällig", "soon": "{} bald fällig"},
        headings={"overdue": "Überfällig", "today": "Heute fällig", "soon": "Bald fällig"},
        priorities={"urgent": "dringend", "high": "wichtig"},
        everything="Alle deine Todos: {}",
        stop="Keine solchen Mails mehr: {}",
    ),
    "es": Words(
        hello="Buenos días, {}.",
        counts={"overdue": "{} con retraso", "today": "{} para hoy", "soon": "{} para pronto"},
        headings={"overdue": "Con retraso", "today": "Para hoy", "soon": "Para pronto"},
        priorities={"urgent": "urgente", "high": "prioridad alta"},
        everything="Todas tus tareas: {}",
        stop="No recibir más estos correos: {}",
    ),
    "fr": Words(
        hello="Bonjour {},",
        counts={"overdue": "{} en retard", "today": "{} pour aujourd’hui", "soon": "{} bientôt"},
        headings={"overdue": "En retard", "today": "Pour aujourd’hui", "soon": "Bientôt"},
        priorities={"urgent": "urgent", "high": "priorité haute"},
        everything="Toutes vos tâches : {}",
        stop="Ne plus recevoir ces messages : {}",
    ),
}


def words_of(language: str) -> Words:
    """Return the words of a language, or the English ones."""
    return WORDS.get(language, WORDS["en"])
