"""Every event, every kind of recipient, every setting: who gets which mail."""

from collections.abc import Callable, Mapping
from typing import Any, get_args

import pytest
from notify_desk import NOON, entry, thread, ticket

from deskwire.contracts.actors import Author, Person, Through
from deskwire.contracts.entries import StoredFile
from deskwire.contracts.mail import Body
from deskwire.contracts.notifications import AgentNotifications
from deskwire.contracts.terms import Deadline, Status
from deskwire.contracts.threads import MailThread
from deskwire.contracts.tickets import (
    AutoClosing,
    Feedback,
    HistoryItem,
    TicketChanged,
    TicketChased,
    TicketDeadline,
    TicketMerged,
    TicketNoted,
    TicketOpened,
    TicketRated,
    TicketReplied,
)
from notify_svc.domain.agents import Agent
from notify_svc.domain.mails import CLIENT_TEMPLATES, Mail, Notice, Told
from notify_svc.domain.rules import asked_for, mails

# Who takes part in all of it, by the names of the matrix's columns.
PEOPLE = {
    "contact": "alice@client.test",
    "watcher": "wim@client.test",
    "team": "team@example.com",
    "agent": "bob@example.com",
    "before": "cem@example.com",
    "called": "dee@example.com",
}
AGENTS = {
    id: Agent(id, name, f"{name.lower()}@example.com", AgentNotifications(agent_id=id))
    for id, name in ((2, "Bob"), (3, "Cem"), (4, "Dee"))
}
ACTORS: Mapping[str, Author] = {
    "contact": Author(type="contact", id=5, name="Alice", email="Alice@Client.test"),
    "watcher": Author(type="unknown", name="Wim", email="wim@client.test"),
    "team": Author(type="agent", id=9, name="Tea", email="team@example.com"),
    "agent": Author(type="agent", id=2, name="Bob"),
    "before": Author(type="agent", id=3, name="Cem", email="elsewhere@example.com"),
    "called": Author(type="agent", id=4, name="Dee"),
    "other": Author(type="agent", id=1, name="Ann", email="ann@example.com"),
    "system": Author(type="system"),
    "stranger": Author(type="unknown", name="Eve", email="eve@elsewhere.test"),
}
WHOLE: dict[str, Any] = {
    "watchers": (PEOPLE["watcher"],),
    "assigned_to": Person(id=2, name="Bob", email=PEOPLE["agent"]),
    "body": Body(text="It burns."),
}
SECRET_FILE = "debts.xlsx"
SECRET = "The client does not pay. @dee"


def history(by: Author, **fields: tuple[Any, ...]) -> tuple[HistoryItem, ...]:
    return tuple(
        HistoryItem(
            id=number,
            ticket_id=12,
            at=NOON,
            by=by,
            through=Through(type="key", id=1),
            field=field,
            old=old,
            new=new,
        )
        for number, (field, (old, new)) in enumerate(fields.items(), start=1)
    )


def hearing(entry_id: int) -> MailThread:
    """Of a client who hears of every status."""
    return thread(entry_id).model_copy(update={"statuses": get_args(Status)})


def opened(by: Author, told: bool) -> Told:
    about = ticket(created_by=by, **WHOLE)
    kind = "public" if by.type in ("agent", "system") else "client"
    first = entry(1, kind=kind, author=by, body=about.body, opening=True)
    team = (PEOPLE["team"],)
    return TicketOpened(ticket=about, entry=first, thread=thread(1), notify_client=told, team=team)


def added(
    event: type[TicketReplied] | type[TicketNoted], *status: str, **fields: Any
) -> Callable[[Author, bool], Told]:
    def make(by: Author, told: bool) -> Told:
        noted = event is TicketNoted
        name = SECRET_FILE if noted else "a.pdf"
        file = StoredFile(id=1, name=name, size=9, type="x/y", blob_id="b")
        text = Body(text=SECRET if noted else "Water is on its way.")
        added = entry(2, author=by, **{"body": text, "attachments": (file,)} | fields)
        changes = {"status": status} if status else {}
        return event(
            ticket=ticket(**WHOLE),
            entry=added,
            thread=hearing(2),
            history=history(by, **changes),
            notify_client=told,
        )

    return make


def changed(*, now: Status = "open", **fields: tuple[Any, Any]) -> Callable[[Author, bool], Told]:
    def make(by: Author, told: bool) -> Told:
        items = history(by, **fields)
        mailed = hearing(1) if items else None
        until = AutoClosing(closes_at=NOON) if now == "auto-close" else None
        about = ticket(version=7, status=now, auto_close=until, **WHOLE)
        return TicketChanged(ticket=about, history=items, thread=mailed, notify_client=told)

    return make


def chased(by: Author, told: bool) -> Told:
    last = entry(2, author=ACTORS["other"], body=Body(text="Is it out?"))
    about = ticket(version=7, **WHOLE)
    return TicketChased(ticket=about, entry=last, thread=thread(1), notify_client=told)


def deadline(of: Deadline, *, breached: bool) -> Callable[[Author, bool], Told]:
    def make(_by: Author, _told: bool) -> Told:  # as the others
        return TicketDeadline(
            ticket=ticket(version=7, **WHOLE),
            deadline=of,
            breached=breached,
            due_at=NOON,
            thread=thread(1),
            team=(PEOPLE["team"],),
        )

    return make


def merged(*, closed: bool) -> Callable[[Author, bool], Told]:
    def make(by: Author, told: bool) -> Told:
        return TicketMerged(
            ticket=ticket(id=10, reference="TCK-10", watchers=("else@client.test",)),
            source=ticket(**WHOLE),
            history=history(by, merged_from=(None, {"id": 12, "name": "TCK-12"})),
            thread=thread(1),
            closed=closed,
            notify_client=told,
        )

    return make


def rated(by: Author, _told: bool) -> Told:  # as the others
    said = Feedback(rating="bad", comment="Too slow.", by=by, at=NOON)
    about = ticket(version=7, feedback=said, **WHOLE)
    change = history(by, feedback=(None, {"rating": "bad", "comment": "Too slow."}))
    team = (PEOPLE["team"],)
    return TicketRated(ticket=about, history=change, thread=thread(1), team=team)


BEFORE = ({"id": 3, "name": "Cem"}, {"id": 2, "name": "Bob"})
EVENTS: Mapping[str, Callable[[Author, bool], Told]] = {
    "opened": opened,
    "public reply": added(TicketReplied),
    "reply, waiting": added(TicketReplied, "open", "auto-close"),
    "reply, closed": added(TicketReplied, "open", "closed"),
    "client": added(TicketReplied, kind="client"),
    "client, reopened": added(TicketReplied, "closed", "open", kind="client"),
    "client, closed": added(TicketReplied, "open", "closed", kind="client"),
    "note": added(TicketNoted, kind="internal"),
    "note, closed": added(TicketNoted, "open", "closed", kind="internal"),
    "stranger": added(TicketNoted, kind="internal", verified=False),
    "closed": changed(status=("open", "closed")),
    "reopened": changed(status=("closed", "open")),
    "on hold": changed(status=("open", "hold")),
    "in work": changed(status=("open", "working")),
    "waiting": changed(now="auto-close", status=("open", "auto-close")),
    "going on": changed(status=("hold", "open")),
    "note, on hold": added(TicketNoted, "open", "hold", kind="internal"),
    "reply, on hold": added(TicketReplied, "open", "hold"),
    "assigned": changed(assigned_to=BEFORE),
    "assigned, closed": changed(status=("open", "closed"), assigned_to=BEFORE),
    "chased": chased,
    "due soon": deadline("resolution", breached=False),
    "overdue": deadline("first_response", breached=True),
    "rated": rated,
    "merged": merged(closed=True),
    "merged, closed": merged(closed=False),
    "told anew": changed(),
}

# Written out by hand; `*`: only when the client hears of new and closed tickets; `+`: only of
# somebody with an address.
MATRIX = """
opened          | ticket-created*| ticket-created*| new-ticket| assigned    |            |
public reply    | public-reply   | public-reply   |           | agent-reply |            |
reply, waiting  | public-reply   | public-reply   |           | agent-reply |            |
reply, closed   | ticket-closed  | ticket-closed  |           | agent-reply |            |
client          | public-reply+  | public-reply   |           | client-reply|            |
client, reopened| public-reply+  | public-reply   |           | client-reply|            |
client, closed  | ticket-closed* | public-reply   |           | client-reply|            |
note            |                |                |           | note        |           | mention
note, closed    | ticket-closed* | ticket-closed* |           | note        |           | mention
stranger        |                |                |           | client-reply|            |
closed          | ticket-closed* | ticket-closed* |           | closed      |            |
reopened        | status-changed*| status-changed*|           | reopened    |            |
on hold         | status-changed*| status-changed*|           |             |            |
in work         | status-changed*| status-changed*|           |             |            |
waiting         | status-changed*| status-changed*|           |             |            |
going on        |                |                |           |             |            |
note, on hold   | status-changed*| status-changed*|           | note        |            | mention
reply, on hold  | public-reply   | public-reply   |           | agent-reply |            |
assigned        |                |                |           | assigned    | unassigned |
assigned, closed| ticket-closed* | ticket-closed* |           | assigned    | unassigned |
chased          | chaser         |                |           |             |            |
due soon        |                |                | due-soon  | due-soon    |            |
overdue         |                |                | overdue   | overdue     |            |
rated           |                |                |           | feedback    |            |
merged          | ticket-merged* | ticket-merged* |           | merged      |            |
merged, closed  |                |                |           | merged      |            |
told anew       |                |                |           |             |            |
"""
EXPECTED = {
    cells[0].strip(): dict(zip(PEOPLE, map(str.strip, cells[1:]), strict=True))
    for cells in (line.split("|") for line in MATRIX.strip().splitlines())
}
CASES = [(event, actor, told) for event in EVENTS for actor in ACTORS for told in (True, False)]


def sent(event: Told) -> list[Mail]:
    ids, handles = asked_for(event)
    asked = {
        agent.id: agent
        for agent in AGENTS.values()
        if agent.id in ids or set(agent.handles) & set(handles)
    }
    return list(mails(event, asked))


@pytest.mark.parametrize(("event", "actor", "told"), CASES)
def test_who_gets_which_mail(event: str, actor: str, told: bool) -> None:
    found = {mail.recipient: mail.template for mail in sent(EVENTS[event](ACTORS[actor], told))}
    expected = {
        PEOPLE[name]: template.rstrip("*+")
        for name, template in EXPECTED[event].items()
        if template and (told or not template.endswith("*"))
        if ACTORS[actor].email or not template.endswith("+")
    }
    acknowledged = event in ("chased", "due soon", "overdue") or (
        event == "opened" and actor == "contact"
    )
    if actor in PEOPLE and not acknowledged:
        expected.pop(PEOPLE[actor], None)
    if event == "opened" and ACTORS[actor].type == "unknown":
        expected = {email: of for email, of in expected.items() if of != "ticket-created"}
    assert found.pop("else@client.test", None) is None
    assert found == expected


def test_who_got_the_mail_itself_gets_no_other_of_it() -> None:
    event = EVENTS["client"](ACTORS["watcher"], True)
    told = {mail.recipient for mail in sent(event)}
    assert told == {PEOPLE["contact"], PEOPLE["agent"]}
    copied = event.model_copy(update={"reached": ("Alice@client.test", PEOPLE["agent"])})
    assert {mail.recipient for mail in sent(copied)} == {PEOPLE["agent"]}


def test_every_event_is_in_the_matrix() -> None:
    assert set(EXPECTED) == set(EVENTS)


@pytest.mark.parametrize(("event", "actor", "told"), CASES)
def test_notes_are_never_told_to_clients(event: str, actor: str, told: bool) -> None:
    for mail in sent(EVENTS[event](ACTORS[actor], told)):
        if mail.template in CLIENT_TEMPLATES:
            assert SECRET not in mail.notice.model_dump_json()
            assert SECRET_FILE not in mail.notice.model_dump_json()


def test_who_gets_the_text_of_a_reply_gets_its_files() -> None:
    for mail in sent(EVENTS["public reply"](ACTORS["other"], True)):
        assert isinstance(mail.notice, Notice)
        assert [file.name for file in mail.notice.files] == ["a.pdf"]


@pytest.mark.parametrize("event", EVENTS)
def test_each_mail_has_a_message_id_that_names_the_ticket(event: str) -> None:
    found = sent(EVENTS[event](ACTORS["other"], True))
    assert all(mail.message_id.startswith("<") for mail in found)
    assert all("e1-abcdefghijklmnop@" in m.message_id or "e2-" in m.message_id for m in found)
    assert len({(mail.about, mail.template, mail.recipient) for mail in found}) == len(found)


def test_two_changes_of_a_ticket_are_two_mails() -> None:
    first = changed(status=("open", "closed"))(ACTORS["other"], True)
    again = first.model_copy(update={"ticket": first.ticket.model_copy(update={"version": 9})})
    one, two = sent(first)[0], sent(again)[0]
    assert one.message_id != two.message_id
    assert one.about != two.about


@pytest.mark.parametrize("name", ["no-reply@client.test", "Postmaster@client.test"])
def test_robots_are_not_told_that_their_ticket_is_there(name: str) -> None:
    event = opened(ACTORS["other"], True)
    about = event.ticket.model_copy(update={"contact": Person(id=5, name="Shop", email=name)})
    assert name not in [mail.recipient for mail in sent(event.model_copy(update={"ticket": about}))]


def test_an_agent_is_told_where_the_team_list_has_them_and_archived_ones_are_not() -> None:
    event = changed(status=("open", "closed"))(ACTORS["other"], True)
    moved = Agent(2, "Bob", "bob@new.example.com", AgentNotifications(agent_id=2))
    told = [mail.recipient for mail in mails(event, {2: moved})]
    assert "bob@new.example.com" in told
    gone = Agent(2, "Bob", "bob@example.com", AgentNotifications(agent_id=2), archived=True)
    assert "bob@example.com" not in [mail.recipient for mail in mails(event, {2: gone})]
    unknown = [mail.recipient for mail in mails(event, {})]
    assert "bob@example.com" in unknown


@pytest.mark.parametrize("name", ["client", "client, reopened", "stranger"])
def test_what_comes_in_on_a_ticket_of_nobody_is_told_to_the_team(name: str) -> None:
    event = EVENTS[name](ACTORS["contact"], True)
    team = (PEOPLE["team"],)
    told = [m.recipient for m in sent(event.model_copy(update={"team": team}))]
    assert PEOPLE["team"] not in told
    unassigned = event.ticket.model_copy(update={"assigned_to": None})
    of_nobody = event.model_copy(update={"team": team, "ticket": unassigned})
    (mail,) = (m for m in sent(of_nobody) if m.recipient == PEOPLE["team"])
    assert mail.template == "client-reply"
    noted = EVENTS["note"](ACTORS["other"], True)
    quiet = noted.model_copy(update={"team": team, "ticket": unassigned})
    assert PEOPLE["team"] not in [m.recipient for m in sent(quiet)]


def test_clients_do_not_read_what_an_integration_is_called() -> None:
    event = added(TicketReplied)(Author(type="system", name="zabbix"), True)
    authors = {m.recipient: m.notice.author for m in sent(event) if isinstance(m.notice, Notice)}
    assert authors == {PEOPLE["contact"]: "", PEOPLE["watcher"]: "", PEOPLE["agent"]: "zabbix"}


def test_clients_and_agents_read_their_own_language() -> None:
    event = added(TicketReplied)(ACTORS["other"], True)
    assert isinstance(event, TicketReplied)
    speaks = event.thread.model_copy(update={"language": "nl", "team_language": "de"})
    event = event.model_copy(update={"thread": speaks})
    assert {m.recipient: m.notice.language for m in mails(event, AGENTS)} == {
        PEOPLE["contact"]: "nl",
        PEOPLE["watcher"]: "nl",
        PEOPLE["agent"]: "de",
    }
    french = AgentNotifications(agent_id=2, language="fr")
    known = {2: Agent(2, "Bob", PEOPLE["agent"], french)}
    assert [m.notice.language for m in mails(event, known)] == ["nl", "nl", "fr"]


def test_a_mail_knows_all_that_it_says() -> None:
    event = added(TicketReplied)(ACTORS["other"], True)
    mail = sent(event)[0]
    assert isinstance(mail.notice, Notice)
    assert (mail.about, mail.notice.to_name, mail.notice.author) == ("entry:2", "Alice", "Ann")
    assert mail.notice.body.text == "Water is on its way."


@pytest.mark.parametrize("name", ["closed", "reply, closed"])
@pytest.mark.parametrize("wanted", [True, False])
def test_the_contact_alone_is_asked_how_it_went(name: str, wanted: bool) -> None:
    event = EVENTS[name](ACTORS["other"], True)
    assert event.thread is not None
    event = event.model_copy(
        update={"thread": event.thread.model_copy(update={"feedback": wanted})}
    )
    asked = {m.recipient: m.notice.asked for m in sent(event) if isinstance(m.notice, Notice)}
    assert asked.pop(PEOPLE["contact"]) == (5 if wanted else None)
    assert set(asked.values()) == {None}


def test_feedback_on_a_ticket_of_nobody_is_told_to_the_team() -> None:
    event = rated(ACTORS["contact"], True)
    unassigned = event.ticket.model_copy(update={"assigned_to": None})
    (mail,) = sent(event.model_copy(update={"ticket": unassigned}))
    assert (mail.recipient, mail.template) == (PEOPLE["team"], "feedback")
    assert isinstance(mail.notice, Notice)
    assert (mail.notice.variant, mail.notice.body.text) == ("bad", "Too slow.")


@pytest.mark.parametrize("statuses", [(), ("hold",), ("open", "auto-close")])
@pytest.mark.parametrize(("name", "status"), [("on hold", "hold"), ("waiting", "auto-close")])
def test_clients_hear_of_the_statuses_that_the_settings_name(
    statuses: tuple[str, ...], name: str, status: str
) -> None:
    event = EVENTS[name](ACTORS["other"], True)
    assert event.thread is not None
    told = event.model_copy(
        update={"thread": event.thread.model_copy(update={"statuses": statuses})}
    )
    found = [mail.recipient for mail in sent(told)]
    assert (PEOPLE["contact"] in found) is (status in statuses)


def test_who_waits_by_itself_is_not_told_twice() -> None:
    event = EVENTS["waiting"](ACTORS["system"], True)
    (item,) = event.history
    by_itself = item.model_copy(update={"through": Through(type="system")})
    assert sent(event.model_copy(update={"history": (by_itself,)})) == []


@pytest.mark.parametrize("name", EVENTS)
def test_watchers_alone_can_stop_watching(name: str) -> None:
    for mail in sent(EVENTS[name](ACTORS["other"], True)):
        assert isinstance(mail.notice, Notice)
        assert mail.notice.watches is (mail.recipient == PEOPLE["watcher"])


@pytest.mark.parametrize("name", EVENTS)
def test_a_contact_can_do_without_what_is_no_reply(name: str) -> None:
    event = EVENTS[name](ACTORS["other"], True)
    if event.thread is None:
        return
    quiet = event.thread.model_copy(update={"contact_hears": False})
    found = {mail.recipient: mail.template for mail in sent(event)}
    expected = dict(found)
    if EXPECTED[name]["contact"].endswith("*"):
        del expected[PEOPLE["contact"]]
    told = sent(event.model_copy(update={"thread": quiet}))
    assert {mail.recipient: mail.template for mail in told} == expected


def test_what_came_back_on_a_ticket_of_nobody_is_told_to_the_team() -> None:
    back = {"kind": "internal", "via": "email", "body": Body(text="It came back.")}
    noted = added(TicketNoted, **back)(ACTORS["system"], True)
    unassigned = noted.ticket.model_copy(update={"assigned_to": None})
    told = {"team": (PEOPLE["team"],), "ticket": unassigned}
    (mail,) = sent(noted.model_copy(update=told))
    assert (mail.recipient, mail.template) == (PEOPLE["team"], "note")


@pytest.mark.parametrize("actor", ["agent", "called"])
def test_an_agent_who_answers_by_mail_hears_that_the_client_did_not(actor: str) -> None:
    mailed = {"kind": "internal", "via": "email", "body": Body(text="On my way.")}
    noted = added(TicketNoted, **mailed)(ACTORS[actor], True)
    told = {mail.recipient: (mail.template, mail.notice) for mail in sent(noted)}
    template, notice = told.pop(PEOPLE[actor])
    assert isinstance(notice, Notice)
    assert (template, notice.variant, notice.body.text) == ("undelivered", "noted", "On my way.")
    assert [each for each, _ in told.values()] == ([] if actor == "agent" else ["note"])


@pytest.mark.parametrize(("through", "variant"), [("system", "unanswered"), ("key", "")])
def test_only_what_is_closed_by_itself_was_not_answered(through: str, variant: str) -> None:
    event = changed(status=("auto-close", "closed"))(ACTORS["system"], True)
    by = Through.model_validate({"type": through, "id": None})
    items = tuple(item.model_copy(update={"through": by}) for item in event.history)
    said = [m.notice for m in sent(event.model_copy(update={"history": items}))]
    assert {n.variant for n in said if isinstance(n, Notice) and n.asked is None} == {variant, ""}
