"""What the invented people and todos of the demo are made of."""

import re
import unicodedata
from random import Random

# invented: first name, last name, time zone
_PEOPLE = """
Amara Okoye Africa/Lagos, Kofi Mensah Africa/Accra, Wanjiru Kamau Africa/Nairobi, Thandi Dube Africa/Johannesburg,
Youssef Haddad Africa/Casablanca, Mariam Farouk Africa/Cairo, Hana Tesfaye Africa/Addis_Ababa,
Aiko Mori Asia/Tokyo, Kenji Ogawa Asia/Tokyo, Mei Tan Asia/Singapore, Jun Kang Asia/Seoul, Linh Dang Asia/Ho_Chi_Minh,
Arjun Nair Asia/Kolkata, Priya Menon Asia/Kolkata, Omid Rahimi Asia/Tehran, Layla Mansour Asia/Dubai,
Noa Peretz Asia/Jerusalem, Dewi Lestari Asia/Jakarta, Bilal Anwari Asia/Karachi, Ying Zhou Asia/Shanghai,
Björn Dahl Europe/Stockholm, Zoë Peeters Europe/Brussels, Inês Matos Europe/Lisbon, José Ferrer Europe/Madrid,
Tomáš Novotny Europe/Prague, Anaïs Perrin Europe/Paris, Greta Lindner Europe/Berlin, Jonas Vogt Europe/Zurich,
Marta Kowal Europe/Warsaw, Eleni Pappa Europe/Athens, Oksana Bondar Europe/Kyiv, Emre Aydin Europe/Istanbul,
Fiona Doyle Europe/Dublin, Rhys Powell Europe/London, Sanna Virta Europe/Helsinki, Luca Conti Europe/Rome,
Mila Petrova Europe/Sofia, Einar Olsen Europe/Oslo, Carla Mendes America/Sao_Paulo, Diego Rojas America/Santiago,
Lucía Vega America/Mexico_City, Mateo Cruz America/Bogota, Grace Palmer America/New_York, Caleb Hayes America/Chicago,
Naomi Brooks America/Los_Angeles, Owen Tremblay America/Toronto, Ruth Yellowhorse America/Denver,
Tess Whitlam Australia/Sydney, Hemi Paki Pacific/Auckland, Leilani Kahale Pacific/Honolulu
"""

# the kind of picture that belongs to a todo -> how its title may read
_TITLES = {
    "chart": (
        "Prepare the {report} for {meeting}",
        "Check the numbers in the {report}",
        "Send the {report} to {office}",
        "Explain the change in {figure} to {office}",
        "Compare {figure} with last year",
        "Forecast {figure} for the next quarter",
    ),
    "plan": (
        "Measure {room}",
        "Fix {fault} in {room}",
        "Find a place for {thing} in {room}",
        "Paint the walls of {room}",
    ),
    "receipt": (
        "Order {supply} for {room}",
        "Order {supply} for {event}",
        "Pay the invoice for {supply}",
        "Agree on {thing} for {room}",
        "Return {thing} to the shop",
        "Claim the costs of {event}",
        "Renew {contract}",
        "Compare prices of {thing}",
    ),
    "board": (
        "Write up the whiteboard of {meeting}",
        "Prepare the agenda of {meeting}",
        "Invite everybody to {event}",
        "Clear out {room} before {event}",
        "Agree on next steps after {meeting}",
        "Review the {document} with {office}",
        "Rewrite the {document}",
        "Send the {document} to {office}",
    ),
    "landscape": (
        "Hang a picture in {room}",
        "Pick the photos of {event}",
        "Find a place outdoors for {event}",
        "Water {plant} {outside}",
        "Trim {plant} {outside}",
        "Ask {whom} to look after {plant}",
    ),
}

_WORDS = {
    "report": "sales report, budget, cash flow plan, energy report, survey results, travel statistics, support figures",
    "figure": "sales, travel costs, the energy bill, sick days, sign-ups, open tickets, the cost of parcels",
    "meeting": "the kick-off, the board meeting, the trade fair, the retrospective, the strategy day, the audit, "
    "the Monday round, the general assembly, the planning workshop",
    "event": "the summer party, the team lunch, the open day, the trade fair, the first-aid course, the fire drill, "
    "the family weekend, the hike, the birthday, the spring cleaning",
    "office": "the board, the accountant, the works council, the auditors, the new colleagues, the sales team",
    "whom": "the landlord, the insurance, the electrician, the cleaners, the neighbours, the caretaker, the supplier",
    "room": "the kitchen, the entrance hall, the meeting room, the workshop, the archive, the bicycle room, "
    "the reading corner, the hallway, the guest room, the laundry room, the attic, the reception, the garage",
    "fault": "the dripping tap, the squeaking door, the flickering light, the loose socket, the broken blind, "
    "the slow Wi-Fi, the cold radiator, the stuck window, the cracked tile, the noisy fan",
    "thing": "the coffee machine, the printer, the projector, two bookshelves, a standing desk, the vacuum cleaner, "
    "the toolbox, a sofa, the screen, the fridge, four chairs, the espresso grinder",
    "supply": "printer paper, toner, coffee beans, light bulbs, flip-chart pens, hand towels, name badges, "
    "moving boxes, batteries, tea and biscuits, dishwasher tablets, a first-aid kit",
    "contract": "the parking permit, the insurance, the domain name, the cleaning contract, the library card, "
    "the lift inspection, the software licence, the phone contract, the train pass, the fire extinguishers",
    "document": "house rules, onboarding guide, travel policy, job advert, privacy notice, product sheet, "
    "emergency plan, price list, minutes, press release, site plan, packing list",
    "plant": "the tomatoes, the olive tree, the herbs, the roses, the ferns, the lemon tree, the ivy, the lavender",
    "outside": "on the balcony, in the yard, on the roof, at the entrance, by the bicycle stand, in the greenhouse",
}

_NOTES = (
    "Ask {whom} first: last time it took two weeks.",
    "Needed before {event}. If that is too tight, say so early.",
    "Three steps:\n- collect what we have\n- ask {whom}\n- write down what was agreed",
    "{room} is free on Tuesdays and Thursdays after 14:00.",
    "Budget: {amount} €. Anything above that goes to {whom}.",
    "Bring {supply}, and leave {room} as you found it.",
    "Offers so far:\n1. {amount} € including delivery\n2. {amount} € but only in March\n\nI prefer the first.",
    "Talked to {whom} on the phone: they call back. Their number is in the shared address book.",
    "Last year's {document} is a good start. The dates in it are wrong.",
    "See also the {report}; the relevant part is on page {page}.",
)

# name of a tag -> its colour, and the kinds of todo it belongs to; none: all
TAGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "finance": ("green", ("chart", "receipt")),
    "report": ("blue", ("chart", "board")),
    "repairs": ("orange", ("plan",)),
    "house": ("brown", ("plan", "landscape")),
    "shopping": ("pink", ("receipt",)),
    "meeting": ("purple", ("board",)),
    "garden": ("teal", ("landscape",)),
    "waiting": ("yellow", ()),
    "quick": ("grey", ()),
    "urgent": ("red", ("none",)),
}

_REMARKS = (
    "{whom} called back: it works out next week.",
    "I am on it. Half of it is done, the rest by Friday.",
    "Can somebody else take this? I am away for {event}.",
    "The {document} says something else, see https://www.example.org/wiki/{page}",
    "It costs {amount} €. Shall we?",
    "Yes, please go ahead.",
    "Moved it by a week, {room} is not free before.",
    "Done as agreed:\n- asked {whom}\n- wrote it into the {document}",
    "Thanks, that helped a lot!",
    "Please add a photo when you are there.",
)

STEMS = {
    "chart": "quarterly figures, cost by team, sales overview, tickets per week, energy use",
    "plan": "floor plan, ground floor, second floor, desks, measurements",
    "receipt": "receipt, invoice scan, till slip, expenses",
    "board": "whiteboard, workshop notes, sketch, agenda board",
    "landscape": "IMG, photo, view, outing, mountains",
}


def people() -> list[tuple[str, str, str]]:
    """Return first name, last name and time zone of everybody."""
    return [(first, last, zone) for first, last, zone in (line.split() for line in _PEOPLE.split(","))]


def username(first: str, last: str) -> str:
    """Return the plain ASCII username of a person."""
    return unicodedata.normalize("NFKD", f"{first}.{last}".lower()).encode("ascii", "ignore").decode()


def titles(rng: Random, count: int) -> list[tuple[str, str]]:
    """Return different titles, each with the kind of picture that belongs to it."""
    found: dict[str, str] = {}
    while len(found) < count:
        kind = rng.choice(sorted(_TITLES))
        found.setdefault(_filled(rng, rng.choice(_TITLES[kind])), kind)
    return list(found.items())


def notes(rng: Random) -> str:
    """Return notes, "" for most todos."""
    return _filled(rng, rng.choice(_NOTES)) if rng.random() < 0.4 else ""


def remark(rng: Random) -> str:
    """Return what somebody says about a todo."""
    return _filled(rng, rng.choice(_REMARKS))


def minutes(rng: Random, title: str) -> str:
    """Return the content of a text file."""
    lines = [title, "=" * len(title), "", *(_filled(rng, note) for note in rng.sample(_NOTES, 5))]
    return "\n\n".join(lines).replace("\n\n\n\n", "\n\n") + "\n"


def stem(rng: Random, kind: str) -> str:
    """Return a file name without its extension."""
    return f"{rng.choice(STEMS[kind].split(', ')).replace(' ', '-')}-{rng.randint(1, 9999):04}"


def _filled(rng: Random, pattern: str) -> str:
    """Put words into the gaps of a pattern; a sentence starts with a capital letter."""

    def word(gap: re.Match[str]) -> str:
        if gap[1] in ("amount", "page"):
            return str(rng.randint(2, 40) * (20 if gap[1] == "amount" else 1))
        return rng.choice(_WORDS[gap[1]].split(", "))

    text = re.sub(r"\{(\w+)\}", word, pattern)
    return text[0].upper() + text[1:]
