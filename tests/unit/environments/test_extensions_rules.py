"""Who may register, who is waited for, what a failure is called: the roster, without I/O."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alonzo.environments.extensions.machine import (
    TRANSITIONS,
    Event,
    NotAllowedError,
    State,
    step,
)
from alonzo.environments.extensions.rules import (
    EXTENSIONS_MAX,
    INVOKE,
    SHUTDOWN,
    Failure,
    RefusedError,
    Roster,
    parse_registration,
)

ID = "00000000-0000-4000-8000-{:012x}".format


def refused(call, *arguments, **named):
    with pytest.raises(RefusedError) as caught:
        call(*arguments, **named)
    return caught.value.error_type, caught.value.message


def ready(roster, name, *events, number=1):
    extension = roster.register(name, events, ID(number))
    roster.next(extension)
    extension.waits = True
    return extension


# The table


@given(st.sampled_from(State), st.sampled_from(Event))
def test_every_pair_is_in_the_table_or_refused(state, event):
    if (state, event) in TRANSITIONS:
        assert step(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(NotAllowedError):
            step(state, event)


def test_every_live_state_can_end_and_the_last_ones_stay():
    for state in State:
        after = {to for (begin, _), to in TRANSITIONS.items() if begin is state}
        if state in (State.EXITED, State.LAUNCH_ERROR, State.SHUTDOWN_FAILED):
            assert after == set()
        elif state in (State.INIT_ERROR, State.EXIT_ERROR):
            assert after == {state}
        else:
            assert {State.EXITED, State.SHUTDOWN_FAILED} <= after


# Registration


def test_a_name_without_a_file_is_internal_and_hears_of_invokes_only():
    roster = Roster(["file"])
    assert roster.register("file", [INVOKE, SHUTDOWN], ID(1)).external
    assert not roster.register("inside", [INVOKE], ID(2)).external
    assert refused(roster.register, "other", [SHUTDOWN], ID(3)) == (
        "Extension.InvalidEventType",
        "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension",
    )
    assert refused(roster.register, "other", ["NAP"], ID(3)) == (
        "Extension.InvalidEventType",
        "NAP: ErrorInvalidEventType",
    )
    assert refused(roster.register, "", [], ID(3)) == (
        "Extension.InvalidExtensionName",
        "Empty extension name",
    )


def test_nobody_registers_twice():
    roster = Roster(["file"])
    roster.register("file", [], ID(1))
    roster.register("inside", [], ID(2))
    assert refused(roster.register, "file", [], ID(3)) == (
        "Extension.InvalidExtensionState",
        "State transition from Registered to Registered failed for extension file. "
        "Error: State transition is not allowed",
    )
    assert refused(roster.register, "inside", [], ID(3)) == (
        "Extension.InvalidExtensionState",
        "Extension with this name already registered",
    )
    assert len(roster) == 2


def test_ten_may_register_and_none_after_the_runtime_is_ready():
    roster = Roster(["file"])
    for n in range(1, EXTENSIONS_MAX):
        roster.register(f"e{n}", [], ID(n))
    assert refused(roster.register, "more", [], ID(99)) == (
        "Extension.TooManyExtensions",
        "Extension limit (10) reached",
    )
    roster = Roster()
    roster.runtime_waits()
    assert refused(roster.register, "late", [], ID(1)) == (
        "Extension.RegistrationClosed",
        "Extension registration closed already",
    )


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            None,
            (
                "Extension.MissingExtensionIdentifier",
                "Missing Lambda-Extension-Identifier header",
            ),
        ),
        ("x", ("Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier")),
        (ID(7), ("Extension.UnknownExtensionIdentifier", f"Unknown extension {ID(7)}")),
    ],
)
def test_who_does_not_say_who_it_is_is_told_what_is_wrong(header, expected):
    assert refused(Roster().find, header) == expected


def test_an_identifier_is_found_in_either_case():
    roster = Roster()
    extension = roster.register("e", [], "0000000a-0000-4000-8000-00000000000b")
    assert roster.find("0000000A-0000-4000-8000-00000000000B") is extension


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"{", b"[]", b'"x"', b'{"events":"INVOKE"}', b'{"events":[1]}',
     b'{"configurationKeys":["a"]}', b'{"events":[' + b"0," * 200 + b"0]}", b"\xff"],
)  # fmt: skip
def test_a_body_that_is_no_registration_is_refused(body):
    with pytest.raises(RefusedError) as caught:
        parse_registration(body)
    assert caught.value.error_type == "InvalidRequestFormat"


def test_events_may_be_left_out():
    assert parse_registration(b"{}") == parse_registration(b'{"events":null}') == ()
    assert parse_registration(b'{"events":["INVOKE","INVOKE"]}') == ("INVOKE", "INVOKE")


# Events


def test_init_and_invoke_end_when_all_wait():
    roster = Roster(["a", "b"])
    assert not roster.all_registered
    a = ready(roster, "a", INVOKE, number=1)
    assert not roster.all_registered
    b = ready(roster, "b", number=2)
    assert roster.all_registered
    assert roster.all_wait
    assert roster.receivers(INVOKE) == [a]
    roster.give(a, ("id", b"event"))
    a.event, a.waits = None, False
    assert not roster.all_wait
    assert roster.next(a) is None
    assert roster.all_wait
    assert b.state is State.READY


def test_who_waits_already_may_not_ask_again_and_who_lost_its_connection_may():
    roster = Roster(["e"])
    extension = ready(roster, "e", INVOKE)
    assert refused(roster.next, extension)[0] == "Extension.InvalidExtensionState"
    extension.waits = False
    assert roster.next(extension) is None
    roster.give(extension, ("id", b"event"))
    assert roster.next(extension) == ("id", b"event")
    assert extension.state is State.RUNNING


def test_an_event_reaches_who_is_busy_with_its_next_request():
    roster = Roster(["new", "busy"])
    new = roster.register("new", [SHUTDOWN], ID(1))
    busy = ready(roster, "busy", INVOKE, SHUTDOWN, number=2)
    roster.give(busy, ("1", b"invoke"))
    busy.event = None
    for extension in roster.receivers(SHUTDOWN):
        roster.give(extension, ("2", b"shutdown"))
    assert roster.next(new) == roster.next(busy) == ("2", b"shutdown")
    assert new.state is busy.state is State.RUNNING


# Failures and the end


def test_the_first_word_of_a_failure_counts():
    roster = Roster(["e"])
    extension = roster.register("e", [], ID(1))
    roster.report_error(extension, Event.INIT_ERROR, "Extension.Mine")
    roster.report_error(extension, Event.INIT_ERROR, "Extension.Other")
    assert extension.error_type == "Extension.Mine"
    failure = roster.exited("e", "exit status 1", cleanly=False)
    assert failure == Failure("Extension.InitError", "exit status 1")
    assert extension.state is State.INIT_ERROR


def test_an_error_needs_its_type_and_its_time():
    roster = Roster(["e"])
    extension = ready(roster, "e")
    assert refused(roster.report_error, extension, Event.EXIT_ERROR, None) == (
        "Extension.MissingHeader",
        "Lambda-Extension-Function-Error-Type not found",
    )
    assert refused(roster.report_error, extension, Event.INIT_ERROR, "Mine")[1] == (
        f"State transition from Ready to InitError failed for extension {ID(1)}. "
        "Error: State transition is not allowed"
    )


def test_an_exit_is_a_crash_but_not_in_the_end():
    roster = Roster(["a", "b"])
    assert roster.exited("a", "exit code 0", cleanly=True) == (
        Failure("Extension.Crash", "exit code 0")
    )
    roster.begin_shutdown()
    assert roster.exited("b", "exit status 1", cleanly=False) is None
    assert [each.state for each in roster] == [State.EXITED, State.SHUTDOWN_FAILED]


def test_the_time_of_the_end_depends_on_who_is_there():
    assert Roster().shutdown_s == Roster().runtime_shutdown_s == 0
    inside = Roster()
    inside.register("inside", [], ID(1))
    assert inside.shutdown_s == inside.runtime_shutdown_s == 0.5
    assert Roster(["file"]).shutdown_s == 2.0
    assert Roster(["file"]).runtime_shutdown_s == pytest.approx(0.6)
    raised = Roster(["file"], internal_s=5.0, external_s=5.0)
    assert (raised.shutdown_s, raised.runtime_shutdown_s) == (5.0, 1.5)


# Whatever they do

NAMES = ("one", "two", "inside", "more")
ACTIONS = st.one_of(
    st.tuples(
        st.just("register"),
        st.sampled_from((*NAMES, "")),
        st.lists(st.sampled_from([INVOKE, SHUTDOWN, "NAP"]), max_size=3),
    ),
    st.tuples(
        st.sampled_from(["next", "init_error", "exit_error", "left"]), st.sampled_from(NAMES)
    ),
    st.tuples(st.sampled_from(["exit", "launch_failed"]), st.sampled_from(NAMES[:2])),
    st.tuples(st.sampled_from(["invoke", "shutdown", "runtime"])),
)


class Life:
    """Does to a roster what its users do, and checks what must hold after each step."""

    def __init__(self):
        self.roster = Roster(NAMES[:2])
        self.ids = iter(range(1, 10_000))
        self.gone = set()
        self.known = {}
        self.runtime_waits = False

    def do(self, action, *arguments):
        answer = self._answer(action, *arguments)
        assert answer is None or (answer.status == 403 and answer.error_type and answer.message)
        extensions = list(self.roster)
        assert len(extensions) <= EXTENSIONS_MAX
        assert self.roster.all_wait == all(e.state is State.READY for e in extensions)
        for extension in extensions:
            assert not extension.waits or extension.state is State.READY
            assert not (extension.waits and extension.event)

    def _answer(self, action, *arguments):
        try:
            getattr(self, f"do_{action}")(*arguments)
        except RefusedError as refusal:
            return refusal
        return None

    def do_register(self, name, events):
        extension = self.roster.register(name, events, ID(next(self.ids)))
        self.known[name] = extension.identifier
        assert self.roster.find(extension.identifier) is extension

    def _find(self, name):
        return self.roster.find(self.known.get(name))

    def do_next(self, name):
        extension = self._find(name)
        if self.roster.next(extension) is None:
            extension.waits = True

    def do_left(self, name):
        self._find(name).waits = False

    def do_init_error(self, name):
        extension = self._find(name)
        self.roster.report_error(extension, Event.INIT_ERROR, "Mine")

    def do_exit_error(self, name):
        extension = self._find(name)
        self.roster.report_error(extension, Event.EXIT_ERROR, "Mine")

    def do_exit(self, name):
        if name not in self.gone:
            self.gone.add(name)
            self.roster.exited(name, "exit code 0", cleanly=True)

    def do_launch_failed(self, name):
        if name not in self.gone:
            self.gone.add(name)
            failure = self.roster.launch_failed(name, error_type="UnknownError", message="m")
            assert failure == Failure("Extension.LaunchError", "m")

    def do_invoke(self):
        if self.roster.all_wait:
            for extension in self.roster.receivers(INVOKE):
                self._give(extension)

    def do_shutdown(self):
        self.roster.begin_shutdown()
        for extension in self.roster.receivers(SHUTDOWN):
            self._give(extension)

    def _give(self, extension):
        self.roster.give(extension, ("id", b"event"))
        if extension.waits:
            extension.event, extension.waits = None, False

    def do_runtime(self):
        self.roster.runtime_waits()


@given(st.lists(ACTIONS, max_size=60))
def test_any_sequence_of_requests_and_ends_has_defined_answers(actions):
    life = Life()
    for action, *arguments in actions:
        life.do(action, *arguments)
